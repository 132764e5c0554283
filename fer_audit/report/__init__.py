"""The report: from results to tables, charts and one offline HTML page."""

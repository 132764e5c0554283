"""Running a plan: scheduling, workers, progress, and the results of what has finished."""

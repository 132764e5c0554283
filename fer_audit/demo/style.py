"""How the page looks: the colours of the report, light and dark as the system is."""

HEADER = """
<header class="top"><h1>What does it read?</h1>
<p>The model reads <b>expressions in pictures, not what people feel</b>. {note}</p></header>
"""

CSS = """
:root { --soft: #566373; --line: #dfe4ea; --faint: #eef1f4; --ink: #17202b; --card: #ffffff; --accent: #1b5fae;
  --bar: #a9c4e4; --bad: #b0400f; --paper: #f5f6f8; }
.dark { --soft: #9dabba; --line: #2b3541; --faint: #1d2630; --ink: #e5ebf2; --card: #161d25; --accent: #7fb5f2;
  --bar: #34567f; --bad: #ff9f75; --paper: #0e1318; }
body, gradio-app, .gradio-container { background: var(--paper) !important; color: var(--ink); }
.gradio-container { width: 100% !important; max-width: 1280px !important; margin: 0 auto !important; }
#columns > div { gap: 12px; }
#status, #seen-picture, #answers, #head { padding: 0; }
#answers { margin-bottom: 0; }
.top h1 { font-size: 1.6rem; letter-spacing: -0.02em; margin: 0; color: var(--ink); }
.top p { margin: 2px 0 0; color: var(--soft); } .top b { color: var(--ink); }
#said { margin: 0; font-size: 0.92rem; color: var(--soft); }
#said.problem { color: var(--bad); font-weight: 600; }
#seen { margin: 0; }
#seen svg { display: block; width: 100%; max-height: 290px; border-radius: 10px; background: var(--faint); }
#seen rect { fill: none; stroke: #fff; stroke-width: 1.5; vector-effect: non-scaling-stroke; stroke-dasharray: 4 3; }
#seen .chosen rect { stroke: #5aa2ff; stroke-width: 3; stroke-dasharray: none; }
#seen text { fill: #fff; font-weight: 700; paint-order: stroke; stroke: rgb(0 0 0 / 65%); stroke-width: 3;
  vector-effect: non-scaling-stroke; }
#picture img { visibility: hidden; }
.hint { display: grid; place-items: center; min-height: 420px; border: 1px dashed var(--line); border-radius: 12px;
  color: var(--soft); }
.readings { display: grid; gap: 16px; }
.readings.of2 { grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); }
.reading { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px;
  min-width: 0; }
.reading h3 { margin: 0; font-size: 0.86rem; font-weight: 500; color: var(--soft); overflow-wrap: anywhere; }
.reading .verdict { display: flex; align-items: baseline; gap: 10px; margin: 2px 0 8px; color: var(--ink); }
.reading .verdict strong { font-size: 1.7rem; letter-spacing: -0.02em; color: var(--ink); }
.reading .verdict span { font-size: 1.15rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.reading table { width: 100%; border: 0; border-collapse: collapse; display: table; font-size: 0.92rem; margin: 0; }
.reading caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.reading tr { border: 0; background: none; }
.reading th, .reading td { padding: 4px 0 !important; border: 0 !important; color: var(--ink); }
.reading th { font-weight: 400; text-align: left; width: 6.2rem; }
.reading .n { text-align: right; width: 4.4rem; font-variant-numeric: tabular-nums; color: var(--soft); }
.reading .track i { display: block; height: 12px; min-width: 1px; border-radius: 3px; background: var(--bar); }
.reading .top th, .reading .top .n { font-weight: 700; color: var(--ink); }
.reading .top .track i { background: var(--accent); }
.reading .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; margin-top: 14px; max-width: 480px; }
.reading figure { margin: 0; }
.reading img { width: 100%; aspect-ratio: 1; border-radius: 8px; display: block; }
.reading figcaption, .reading .none { font-size: 0.8rem; color: var(--soft); margin-top: 4px; }
.readings.of1 .reading { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 4fr); gap: 0 28px;
  grid-template-rows: auto auto 1fr; align-items: start; }
.readings.of1 .reading h3, .readings.of1 .verdict, .readings.of1 table { grid-column: 1; }
.readings.of1 .pair { grid-column: 2; grid-row: 1 / span 3; grid-template-columns: 1fr; margin: 0; max-width: 240px;
  justify-self: end; }
@media (max-width: 720px) { .readings.of1 .reading { display: block; }
  .readings.of1 .pair { grid-template-columns: 1fr 1fr; margin-top: 14px; max-width: none; } }
footer { display: none !important; }
"""

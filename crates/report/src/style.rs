//! The style sheet of all pages: light and dark, wide and narrow, screen and paper.

/// The style sheet.
pub const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d7dce1;--ground:#fff;--card:#f6f8fa;\
--s0:#0072b2;--s1:#c75100;--s2:#008060;--s3:#a8508a;--s4:#8a6d00;--s5:#4f6d8f;--good:#00704f;--bad:#b34700;\
--warn:#fff4e0;--warn-line:#e3a008;--cell:0,114,178;--for:0,140,60;--against:200,30,30}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a3abb4;--line:#3a4149;--ground:#15181c;\
--card:#1e2328;--s0:#56b4e9;--s1:#ff9a52;--s2:#3ecf9a;--s3:#e39bc4;--s4:#f0c75e;--s5:#a8bfd8;--good:#3ecf9a;\
--bad:#ff9a52;--warn:#2e2618;--warn-line:#b7860b;--cell:86,180,233;--for:40,190,110;--against:240,80,80}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:0 auto;max-width:72rem;\
padding:1.5rem 1rem 3rem;overflow-wrap:break-word}
h1{font-size:1.6rem;line-height:1.2;margin:0;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.4rem 0 .7rem;border-top:1px solid var(--line);padding-top:1.2rem}
h3{font-size:1rem;margin:0 0 .35rem;overflow-wrap:anywhere}
p,ul{margin:.4rem 0;max-width:46rem}ul{padding-left:1.2rem}li{margin:.3rem 0}
small,figcaption,.soft{color:var(--soft)}
code,pre{font-family:ui-monospace,monospace;font-size:.86em}
.lead{font-size:1.1rem;margin:.8rem 0}
.tiles{display:grid;gap:.7rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,9.5rem),1fr));margin:1.1rem 0;\
padding:0;list-style:none;max-width:none}
.tiles li{background:var(--card);border:1px solid var(--line);border-radius:8px;margin:0;padding:.6rem .8rem}
.tiles b{display:block;font-size:1.45rem;line-height:1.25;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.tiles span{color:var(--soft);font-size:.86rem}
.warnings{background:var(--warn);border-left:4px solid var(--warn-line);border-radius:4px;padding:.5rem .9rem;\
max-width:none;margin:1rem 0}
.warnings ul{margin:.2rem 0}
.charts{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr));align-items:start;grid-auto-flow:dense}
.photos{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));align-items:start}
.card,figure{background:var(--card);border:1px solid var(--line);border-radius:8px;margin:0;padding:.8rem;min-width:0}
.full{grid-column:1/-1}@media(min-width:46rem){.half{grid-column:span 2}}
.stack>*+*{margin-top:1rem}
figure{padding:0;overflow:hidden}figcaption{padding:.6rem .8rem;font-size:.9rem;overflow-wrap:anywhere}
figcaption b{color:var(--ink)}
img{display:block;max-width:100%;height:auto;margin:0 auto}
svg{display:block;width:100%;height:auto;max-width:40rem}
svg text{font-size:12px;fill:var(--soft)}svg.wide text{font-size:13px;fill:var(--ink)}svg.wide .note{fill:var(--soft)}
.grid{stroke:var(--line);fill:none}
.mark{stroke:var(--soft);stroke-dasharray:3 3;fill:none}
.ideal{stroke:var(--soft);stroke-dasharray:6 4;fill:none}
polyline{fill:none;stroke-width:2;stroke-linejoin:round}
polyline.dashed{stroke-dasharray:6 4}
polyline.s0,.dots.s0{stroke:var(--s0)}polyline.s1{stroke:var(--s1)}polyline.s2{stroke:var(--s2)}\
polyline.s3{stroke:var(--s3)}polyline.s4{stroke:var(--s4)}polyline.s5{stroke:var(--s5)}
svg.wide polyline.item{stroke-width:1.5;stroke-opacity:.7}svg.axes{max-width:none;min-width:46rem}
polyline.chance{stroke:var(--soft);stroke-width:1.5}
circle.s0,rect.s0,i.s0{fill:var(--s0);background:var(--s0)}circle.s1,rect.s1,i.s1{fill:var(--s1);background:var(--s1)}\
circle.s2,rect.s2,i.s2{fill:var(--s2);background:var(--s2)}circle.s3,rect.s3,i.s3{fill:var(--s3);background:var(--s3)}\
circle.s4,rect.s4,i.s4{fill:var(--s4);background:var(--s4)}circle.s5,rect.s5,i.s5{fill:var(--s5);background:var(--s5)}
i.chance{background:var(--soft)}
rect.fill{opacity:.6}
.dots{fill:none;stroke-width:4;stroke-linecap:round;stroke-opacity:.45}
.key{font-size:.86rem;color:var(--soft);display:flex;flex-wrap:wrap;gap:.1rem .9rem;margin:.3rem 0 0}
.key i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.35em;vertical-align:-.05em}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.93rem}
th,td{padding:.35rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:600}
th:first-child,td:first-child{text-align:left;padding-left:0}
td.text{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:12rem}
.own td{font-weight:600}
.heat td,.heat th{text-align:center;padding:.3rem .5rem;border:1px solid var(--ground);min-width:2.4rem}
.heat th:first-child{text-align:right;white-space:nowrap}
.heat thead th{overflow:hidden;text-overflow:ellipsis;max-width:7rem}
.words{white-space:pre-wrap;overflow-wrap:anywhere;max-width:none}
.words span{border-radius:3px;padding:1px 2px}
.facts{max-width:46rem;margin:1rem 0}.facts td{white-space:normal;text-align:left;overflow-wrap:anywhere;vertical-align:top}\
.facts td:first-child{color:var(--soft);white-space:nowrap;padding-right:1.2rem}
pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.8rem;overflow-x:auto;margin:.6rem 0;\
line-height:1.4;white-space:pre-wrap;overflow-wrap:anywhere}
.recipe{columns:19rem;column-gap:2rem}
.ahead{color:var(--good);font-weight:600}.behind{color:var(--bad);font-weight:600}
footer{border-top:1px solid var(--line);margin-top:2.5rem;padding-top:.8rem;color:var(--soft);font-size:.9rem}
@media(max-width:30rem){table{font-size:.84rem}th,td{padding:.3rem .4rem}.facts td:first-child{white-space:normal;min-width:7rem}svg text{font-size:13px}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--ground:#fff;--card:#fff;--s0:#0072b2;\
--s1:#c75100;--s2:#008060;--s3:#a8508a;--s4:#8a6d00;--s5:#4f6d8f;--warn:#fff;--cell:0,114,178;--for:0,140,60;\
--against:200,30,30}body{max-width:none;padding:0;font-size:11pt;print-color-adjust:exact;\
-webkit-print-color-adjust:exact}.card,figure,.tiles li{break-inside:avoid}h2,h3{break-after:avoid}\
.scroll{overflow:visible}th,td{white-space:normal}}
";

// The stylesheet of all pages. Pure. No text is smaller than 12 px, and every colour of text has a contrast of 4.5 to 1.
export const style = `:root{color-scheme:light dark;
--ground:light-dark(#f6f7f9,#101317);--sheet:light-dark(#fff,#181c22);--line:light-dark(#dfe3e8,#2c323b);
--faint:light-dark(#eef0f3,#20252d);--text:light-dark(#16191d,#e7eaee);--soft:light-dark(#555d68,#a2abb8);
--accent:light-dark(#0b57c4,#8ab8ff);--on-accent:light-dark(#fff,#0b1320);--good:light-dark(#0a6b3d,#6fd39b);
--good-ground:light-dark(#e2f4ea,#12301f);--warning:light-dark(#7d4e00,#f0bf5e);
--warning-ground:light-dark(#fdf0d3,#33270f);--edge:light-dark(#d9971e,#f0bf5e);--bad:light-dark(#b3201b,#ff9a94);
--bad-ground:light-dark(#fdeae9,#3a1a1a)}

*{box-sizing:border-box}
html{font:14px/1.5 system-ui,sans-serif;background:var(--ground);color:var(--text)}
body,form,dl,dd,pre{margin:0}
h1{font-size:22px;line-height:1.25;margin:0 0 16px}
h2{font-size:15px;margin:0}
h3{font-size:14px;margin:0 0 4px}
p{margin:0 0 10px;max-width:80ch}
p:last-child{margin-bottom:0}
a{color:var(--accent);text-underline-offset:2px}
code,pre{font:13px/1.5 ui-monospace,Menlo,Consolas,monospace}
code,bdi,dd{overflow-wrap:anywhere}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
main:focus{outline:0}
.skip{position:absolute;left:8px;top:-60px;padding:8px 12px;background:var(--sheet)}
.skip:focus{top:8px}
.none,.hint,.manual,caption,thead th,dt,summary,.viewer,small{color:var(--soft)}
.hint,.manual,caption,thead th,.viewer,.facts .none{font-size:13px}

.top{background:var(--sheet);border-bottom:1px solid var(--line)}
.bar,main{max-width:1120px;margin:0 auto;padding:0 20px}
.bar,.bar ul,.viewer,.row,.head,.filter,.contents{display:flex;flex-wrap:wrap;align-items:center;gap:4px 12px}
.brand{display:flex;align-items:center;gap:8px;margin:0;padding:12px 0;font-weight:600;color:inherit;text-decoration:none}
.mark{fill:none;stroke:var(--accent);stroke-width:3;stroke-linecap:round}
.bar nav{flex:1;margin-left:12px}
.bar ul,.contents{list-style:none;margin:0;padding:0}
.bar ul{gap:4px}
.bar li a{display:block;padding:12px 10px 10px;border-bottom:2px solid transparent;color:var(--soft);text-decoration:none}
.bar li a:hover,.bar li a[aria-current]{color:var(--text)}
.bar li a[aria-current]{font-weight:600;border-color:var(--accent)}

main{padding-top:24px;padding-bottom:56px}
main.alone{max-width:480px;padding-top:8vh}
.alone .brand{padding:0 0 28px}
.sheet{background:var(--sheet);border:1px solid var(--line);border-radius:8px;padding:16px 18px;margin:0 0 16px;min-width:0}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:16px;margin:0 0 16px}
.grid>.sheet{margin:0}
.row>.end{margin-left:auto}
.head{margin:0 0 10px}
.contents{margin:0 0 16px}
.notice{border:1px solid;border-radius:8px;padding:10px 14px;margin:0 0 16px}
.badge{display:inline-block;border-radius:99px;padding:1px 9px;font-size:12px;line-height:18px;font-weight:600;white-space:nowrap;background:var(--faint);color:var(--soft)}
.good{color:var(--good);background:var(--good-ground)}
.warning{color:var(--warning);background:var(--warning-ground)}
.bad{color:var(--bad);background:var(--bad-ground)}
.verdict{color:inherit;background:var(--sheet);border-left:4px solid var(--soft)}
.verdict.good{border-left-color:var(--good)}
.verdict.warning{border-left-color:var(--edge)}
.verdict.bad{border-left-color:var(--bad)}
.verdict h2{font-size:18px}
.todo{margin:0 0 12px}

.facts>div{display:flex;gap:4px 16px;justify-content:space-between;padding:5px 0;border-top:1px solid var(--faint)}
.facts>div:first-child{border-top:0;padding-top:0}
dt{flex:none}
dd{font-variant-numeric:tabular-nums}
.facts dd{text-align:right}
.facts .none{display:block}
.wide>div{justify-content:flex-start}
.wide dt{width:88px}
.facts.wide dd{text-align:left}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,130px),1fr));gap:12px 20px}
.figures>div{display:flex;flex-direction:column-reverse;justify-content:flex-end}
.figures dt{font-size:13px}
.figures dd{font-size:24px;line-height:1.2;font-weight:600}
small{display:block;font-size:12px}

.scroll{overflow-x:auto;margin:12px 0}
.scroll:last-child{margin-bottom:0}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;padding:0 0 6px}
th,td{text-align:left;vertical-align:top;padding:6px 16px 6px 0;border-bottom:1px solid var(--faint)}
tr>:last-child{padding-right:0}
th{font-weight:500}
thead th{border-color:var(--line);white-space:nowrap}
tbody tr:last-child>*{border-bottom:0}
.number{text-align:right}
time{white-space:nowrap}

label{display:block;font-weight:600;margin:0 0 4px}
.problem{color:var(--bad);margin:4px 0}
input,select,button,.button{font:inherit;color:inherit;background:var(--sheet);border:1px solid var(--soft);border-radius:6px;padding:6px 12px;max-width:100%}
[aria-invalid]{border-color:var(--bad)}
.alone input{width:100%}
.field,.filter{margin:0 0 14px}
.filter{align-items:end}
button,.button{display:inline-block;font-weight:600;cursor:pointer;text-decoration:none}
button:hover,.button:hover{background:var(--faint)}
.primary,.primary:hover{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}
.danger{border-color:var(--bad);color:var(--bad)}
.quiet{border:0;background:none;color:var(--accent);padding:4px 6px;font-weight:500}
details,.pager{margin:10px 0 0}
.copy{display:flex;align-items:start;margin:6px 0 12px;background:var(--faint);border-radius:6px}
.copy:last-child{margin-bottom:0}
.copy button{flex:none;margin:7px 8px 7px 0;padding:2px 10px;font-size:12px}
pre{flex:1;min-width:0;padding:10px 12px;overflow-x:auto}

.filter>div{flex:0 1 170px}
.filter>.short{flex-basis:130px}
.filter label{white-space:nowrap}
.filter>a{padding:7px 4px}
.filter input,.filter select{height:36px;width:100%}
.filter details{flex:1 0 100%;margin:0}
.filter details>div{display:flex;gap:12px;padding:8px 0 0}
.scroll bdi{display:inline-block;max-width:28ch;overflow-wrap:break-word;vertical-align:top}
.scroll a bdi{text-decoration:underline}
.scroll code{white-space:nowrap}
.reason{display:block;min-width:26ch;max-width:44ch}
.narrow{max-width:640px}
dl+p,.scroll+.row,.pager+.row{margin-top:12px}

.tabs{margin:0 0 16px}
.tabs ul{display:flex;gap:4px;list-style:none;margin:0;padding:0}
.tabs li a{display:block;padding:5px 14px;border:1px solid var(--line);border-radius:99px;color:var(--soft);background:var(--sheet);text-decoration:none}
.tabs li a[aria-current]{color:var(--text);border-color:currentColor;font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,max(330px,34%)),1fr));gap:16px;margin:10px 0}
figure.sheet{margin:0}
section+section>h2{margin-top:28px}
figcaption{color:var(--soft);margin:0 0 8px}
figcaption strong{font-size:20px;line-height:1.2;color:var(--text)}
.chart{display:block;width:100%;max-width:520px}
.chart text{font-size:12px;fill:var(--soft)}
.column{color:var(--accent)}
.rule{stroke:var(--line)}
.axis{stroke:var(--soft)}
.reach{fill:none;pointer-events:all}
.unknown,g:hover>.reach{fill:var(--faint)}
.alarm{stroke:var(--bad);stroke-width:2}
@media(min-width:1000px){.chart text{font-size:8.6px}}

@media(max-width:640px){
.bar,main{padding-left:14px;padding-right:14px}
.bar nav{order:3;flex-basis:100%;margin:0}
.viewer{margin-left:auto}
.bar ul{gap:0;justify-content:space-between}
.bar li a{padding:6px 3px 8px;font-size:13px}
.sheet{padding:14px}
.copy{display:block}
.copy button{margin:0 0 10px 12px}
}
`;

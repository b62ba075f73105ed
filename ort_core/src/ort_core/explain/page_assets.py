"""Style sheet and script of the page. The page can be read without the script."""

from __future__ import annotations

PAGE_STYLE = """
body.ort{margin:0;font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
color:var(--fg);background:var(--bg)}
header{padding:18px 24px 12px;border-bottom:1px solid var(--line)}
h1{font-size:20px;margin:0 0 6px;overflow-wrap:anywhere}
.headline{font-size:16px;margin:0 0 10px}.headline .bad{color:var(--warn);font-weight:600}
.bar{display:flex;height:22px;border-radius:5px;overflow:hidden;margin:0 0 10px}
.bar span{color:#fff;font-size:12px;font-weight:600;line-height:22px;padding-left:8px;white-space:nowrap;overflow:hidden;
box-sizing:border-box;min-width:3px}
.bar .fallback{background-image:repeating-linear-gradient(45deg,#0000 0 8px,#0003 8px 16px)}
table{border-collapse:collapse}td,th{padding:2px 14px 2px 0;text-align:left;vertical-align:top}
.providers .dot{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:8px}
.providers .status{color:var(--muted);max-width:70em;overflow-wrap:anywhere}.providers .bad{color:var(--warn)}
main{display:flex;align-items:flex-start}
.view{flex:1;border-right:1px solid var(--line);overflow:auto;max-height:100vh;position:sticky;top:0;min-width:0}
.view svg{display:block;margin:0 auto}
aside{width:360px;flex:none;box-sizing:border-box;padding:12px 18px;
max-height:100vh;overflow:auto;position:sticky;top:0;font-size:13px}
aside h2{font-size:14px;margin:16px 0 4px}aside h2:first-child{margin-top:0}
aside p,aside ul{margin:2px 0}aside ul{padding-left:18px}
summary{cursor:pointer;overflow-wrap:anywhere}
a{color:inherit}li,td{overflow-wrap:anywhere}
.count{display:inline-block;min-width:2.2em;text-align:right;font-weight:700;margin-right:6px}
.muted{color:var(--muted)}
#detail{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--card);border:1px solid var(--line);border-radius:6px;
padding:8px;font-size:12px;margin:0 0 8px}
.tools{display:flex;gap:6px;margin:0 0 8px}.tools input{flex:1;min-width:0;font:inherit;padding:3px 6px}
.tools button{font:inherit;min-width:2.2em}
.all{padding:8px 24px 40px;font-size:12.5px}.all td{max-width:34em}
.all table{margin-top:6px}.all tr:hover td{background:color-mix(in srgb,var(--line) 15%,transparent)}
.node{cursor:pointer}
@media (max-width:900px){main{flex-direction:column}aside,.view{width:100%;position:static;max-height:none;border:0}}
"""

PAGE_SCRIPT = """
"use strict";
const $ = (id) => document.getElementById(id), drawing = $("drawing"), detail = $("detail"), find = $("find");
for (const part of document.querySelectorAll(".script")) part.hidden = false;
const width = drawing.width.baseVal.value, height = drawing.height.baseVal.value, view = drawing.parentElement;
let scale = 1;
const zoom = (to) => {
  scale = Math.min(4, Math.max(0.05, to));
  drawing.setAttribute("width", width * scale);
  drawing.setAttribute("height", height * scale);
};
$("out").onclick = () => zoom(scale / 1.25);
$("in").onclick = () => zoom(scale * 1.25);
$("fit").onclick = () => zoom(Math.min(1, view.clientWidth / width));
if (width > view.clientWidth) zoom(Math.max(0.5, view.clientWidth / width));
const tell = (group) => {
  const title = group && [...group.children].find((part) => part.tagName === "title");
  if (title) detail.textContent = title.textContent;
};
drawing.addEventListener("click", (event) => tell(event.target.closest(".node,.edge,.pill")));
drawing.addEventListener("mouseover", (event) => tell(event.target.closest(".node,.edge,.pill")));
addEventListener("hashchange", () => tell($(location.hash.slice(1))));
tell($(location.hash.slice(1)));
let hits = [], at = -1;
find.oninput = () => {
  for (const hit of hits) hit.classList.remove("hit");
  const wanted = find.value.trim().toLowerCase(), rows = [...document.querySelectorAll(".all tr[data-at]")];
  const found = wanted ? rows.filter((row) => row.textContent.toLowerCase().includes(wanted)) : [];
  hits = [...new Set(found.map((row) => $(row.dataset.at)))].filter(Boolean);
  for (const hit of hits) hit.classList.add("hit");
  detail.textContent = wanted ? `${found.length} nodes match, drawn as ${hits.length}. Enter goes to the next.` : "";
  at = -1;
};
find.onkeydown = (event) => {
  if (event.key !== "Enter" || !hits.length) return;
  at = (at + 1) % hits.length;
  hits[at].scrollIntoView({ block: "center", inline: "center" });
  tell(hits[at]);
};
"""

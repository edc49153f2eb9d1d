import { h } from "./dom.js";

/**
 * Tables of figures.
 *
 * @typedef {import("./types.js").Table} Table
 */

const figureForm = /^[-−+±≈<>~]?\s*[\d.,\s\u2009\u202f]+(\s?(%|ms|µs|s|min|h|ppm|ns|[kMGT]?i?B|×))?(\s*±.*)?$|^[-–—·]?$/;

/**
 * A table. Its first columns, as many as keys says, name the rows; of the others, those with figures alone are set to
 * the right.
 *
 * @param {Table} table
 * @param {string} [caption] for those who hear it; the title unless given
 */
export function tableElement(table, caption = table.title) {
	const keys = table.keys ?? 1;
	const words = table.columns.map((_, i) => i < keys || table.rows.some((row) => !figureForm.test(row[i] ?? "")));
	const long = table.columns.map((_, i) => table.rows.some((row) => (row[i] ?? "").length > 60));
	const head = h("thead", {}, h("tr", {}, table.columns.map((name, i) =>
		name === "" ? h("td", { class: words[i] && "words" }) : h("th", { scope: "col", class: words[i] && "words" }, name))));
	const body = h("tbody", {}, table.rows.map((row) =>
		h("tr", { class: row[0] === "all" && "total" }, row.map((cell, i) => i === 0 && cell !== "" && keys > 0
			? h("th", { scope: "row", class: "words" }, cell)
			: h("td", { class: [words[i] && "words", long[i] && "long"].filter(Boolean).join(" ") || undefined }, cell)))));
	return frameTable(h("table", {}, h("caption", { class: "hidden-text" }, caption), head, body), table.rows.length > 14);
}

/**
 * A frame in which a wide or long table can be scrolled, also by keys.
 *
 * @param {HTMLTableElement} table
 * @param {boolean} tall
 */
export function frameTable(table, tall) {
	const label = table.caption?.textContent ?? "Table";
	return h("div", { class: tall ? "table-frame tall" : "table-frame", role: "group", "aria-label": label, tabIndex: 0 }, table);
}

/**
 * The tables of a run, each below its title.
 *
 * @param {Table[]} tables
 * @param {"h3" | "h4"} level
 */
export function tablesElement(tables, level = "h3") {
	return h("div", { class: "tables" }, tables.map((table) => h("div", {},
		h(level, {}, table.title),
		table.columns.length > 1 ? tableElement(table) : h("ul", { class: "sentences" }, table.rows.map((row) => h("li", {}, row[0]))),
		table.note !== undefined && table.note !== "" && h("p", { class: "table-note" }, table.note))));
}

import { h } from "../dom.js";

/** What the shapes and grounds mean. @param {boolean} pending whether there are messages that were not received */
export function legendElement(pending) {
	const names = ["internal", "send", "receive"];
	return h("ul", { class: "diagram-legend", "aria-label": "Legend" },
		...names.map((name) => h("li", {}, h("span", { class: `mark ${name}`, "aria-hidden": "true" }), name)),
		pending && h("li", {}, h("span", { class: "mark stub", "aria-hidden": "true" }), "message without a receive here"),
		h("li", { class: "cone" }, h("span", { class: "ground past", "aria-hidden": "true" }), "past"),
		h("li", { class: "cone" }, h("span", { class: "ground future", "aria-hidden": "true" }), "future"),
		h("li", { class: "between" }, h("span", { class: "ground between", "aria-hidden": "true" }), "after the one and before the other"),
		h("li", { class: "chain" }, h("span", { class: "ground chain", "aria-hidden": "true" }), "the chain"));
}

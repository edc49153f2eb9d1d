import { h } from "./dom.js";
import { againElement, factsElement, findingsElement, verdictElement } from "./head.js";

/**
 * Several runs beside each other.
 *
 * @typedef {import("./types.js").Head} Head
 * @typedef {import("./types.js").Finding} Finding
 */

/**
 * What each run was, side by side. Facts that are the same for all are said once, above.
 *
 * @param {Head} head
 * @param {(run: number, finding: Finding) => void} show
 * @param {(text: string) => void} announce
 */
export function runsElement(head, show, announce) {
	const [first, ...others] = head.runs;
	const common = first.facts.filter(([label, value]) => others.every((run) => run.facts.some(([l, v]) => l === label && v === value)));
	const isCommon = (/** @type {[string, string]} */ fact) => common.some(([label]) => label === fact[0]);
	return h("div", {},
		common.length > 0 && factsElement(common),
		h("div", { class: "runs" }, head.runs.map((run, i) => h("article", { "aria-label": run.name },
			h("h2", {}, run.name),
			verdictElement(run.verdict),
			factsElement(run.facts.filter((fact) => !isCommon(fact))),
			againElement(run.again, announce),
			findingsElement(run, (finding) => show(i, finding)),
			run.left !== "" && h("p", { class: "left-out" }, run.left)))));
}

/**
 * Where the runs differ first, each a button that goes there. Null if there is nothing to say.
 *
 * @param {Head} head
 * @param {(difference: import("./types.js").Difference) => void} show
 */
export function differencesElement(head, show) {
	const differences = head.differences ?? [];
	if (differences.length === 0) return null;
	return h("ul", { class: "findings", "aria-label": "First differences" }, differences.map((difference) => {
		const there = difference.at.some((at) => at.position >= 0);
		return h("li", {}, there
			? h("button", { class: "finding difference", type: "button", onclick: () => show(difference) }, difference.text, h("span", { class: "show" }, "Show it in both diagrams"))
			: h("div", { class: "finding difference" }, difference.text));
	}));
}

/**
 * The events of a run at which it first differs from others.
 *
 * @param {Head} head
 * @param {number} run
 * @returns {{machine: number, position: number, text: string}[]}
 */
export function marksOf(head, run) {
	return (head.differences ?? []).flatMap((difference) => difference.runs.flatMap((r, k) => {
		const at = difference.at[k];
		return r === run && at && at.position >= 0 ? [{ machine: at.machine, position: at.position, text: difference.text }] : [];
	}));
}

import { h } from "./dom.js";
import { formatDuration } from "./format.js";
import { machineProperty } from "./theme.js";

/**
 * The head of a page: what ran, what the laws say of it, and what its figures show.
 *
 * @typedef {import("./types.js").Run} Run
 * @typedef {import("./types.js").Verdict} Verdict
 * @typedef {import("./types.js").Finding} Finding
 */

const verdictMarks = new Map([["correct", "✓"], ["broken", "✗"]]);

/** @param {Verdict} verdict */
export function verdictElement(verdict) {
	const state = verdict.state || "unknown";
	const mark = verdictMarks.get(state) ?? "!";
	const rest = verdict.text.startsWith(state) ? verdict.text.slice(state.length).replace(/^[:,;]?\s*/, "") : verdict.text;
	return h("div", {},
		h("div", { class: "verdict-line" },
			h("p", { class: `verdict ${verdictMarks.has(state) ? state : ""}` }, h("span", { "aria-hidden": "true" }, mark), state),
			h("p", {}, rest)),
		verdict.details && verdict.details.length > 0 && h("ul", { class: "verdict-details" }, verdict.details.map((line) => h("li", {}, line))));
}

/**
 * The findings of a run. One that is of a machine or of a time leads there.
 *
 * @param {Run} run
 * @param {(finding: Finding) => void} show
 */
export function findingsElement(run, show) {
	if (run.findings.length === 0) return null;
	return h("ul", { class: "findings", "aria-label": "Findings" }, run.findings.map((finding) => {
		const machine = finding.machine === undefined ? undefined : run.machines[finding.machine];
		const where = findingPlace(finding, machine);
		const card = where === ""
			? h("div", { class: "finding" }, finding.text)
			: h("button", { class: "finding", type: "button", onclick: () => show(finding) },
				finding.text, h("span", { class: "show" }, where));
		if (machine) card.style.setProperty("--mark", `var(${machineProperty(machine.color)})`);
		return h("li", {}, card);
	}));
}

/**
 * @param {Finding} finding
 * @param {import("./types.js").Machine | undefined} machine
 */
function findingPlace(finding, machine) {
	if (finding.from !== undefined && finding.to !== undefined && finding.to > finding.from) {
		return `Show ${formatDuration(finding.from)} to ${formatDuration(finding.to)}`;
	}
	if (finding.from !== undefined) return `Show it at ${formatDuration(finding.from)}`;
	return machine ? `Show machine ${machine.id}` : "";
}

/** @param {[string, string][]} facts */
export function factsElement(facts) {
	return h("dl", { class: "facts" }, facts.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value))));
}

/**
 * The command that does it again, with a button that copies it.
 *
 * @param {string} command
 * @param {(text: string) => void} announce
 */
export function againElement(command, announce) {
	if (command === "") return null;
	const button = h("button", { class: "button", type: "button" }, "Copy");
	button.addEventListener("click", async () => {
		const copied = await copyText(command);
		button.textContent = copied ? "Copied" : "Select and copy";
		announce(copied ? "The command is copied" : "The browser does not let this page copy");
		setTimeout(() => { button.textContent = "Copy"; }, 2500);
	});
	return h("div", { class: "again" },
		h("div", {}, h("div", { class: "label" }, "Do it again"), h("code", {}, command)),
		button);
}

/**
 * Copies text; reports whether the browser let it.
 *
 * @param {string} text
 */
export async function copyText(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		// Pages from a disk may be refused; the old way still works in most browsers.
		const area = h("textarea", { value: text, class: "hidden-text", "aria-hidden": "true" });
		document.body.append(area);
		const focused = document.activeElement;
		area.select();
		const copied = document.execCommand("copy");
		area.remove();
		if (focused instanceof HTMLElement) focused.focus();
		return copied;
	}
}

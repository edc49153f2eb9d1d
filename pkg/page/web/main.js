import { chartKeys, chartsElement, highlight } from "./charts.js";
import { differencesElement, marksOf, runsElement } from "./compare.js";
import { createDiagram } from "./diagram/diagram.js";
import { h } from "./dom.js";
import { formatDuration } from "./format.js";
import { connectFragment, linkTo } from "./fragment.js";
import { againElement, copyText, factsElement, findingsElement, verdictElement } from "./head.js";
import { createHelp } from "./help.js";
import { histogramsElement } from "./histograms.js";
import { openRun } from "./run.js";
import { createState } from "./state.js";
import { gridElement, runListElement, sectionsElement, sweepTablesElement } from "./sweep.js";
import { tablesElement } from "./tables.js";
import { followTheme, themeButton } from "./theme.js";

/**
 * The page begins here: it reads its head, says at once what there is to say, and draws when the data are decoded.
 *
 * @typedef {import("./types.js").Head} Head
 * @typedef {import("./types.js").Finding} Finding
 * @typedef {import("./run.js").RunData} RunData
 * @typedef {import("./state.js").State} State
 * @typedef {ReturnType<typeof createDiagram>} Diagram
 */

/** The form of the data that these scripts read. */
const dataVersion = 1;

/** What is read out: one region, told anew each time. */
const spoken = h("p", { class: "hidden-text", role: "status", "aria-live": "polite" });

/** @param {string} text */
function announce(text) {
	// The same words twice are read twice only if they differ.
	spoken.textContent = spoken.textContent === text ? text + "\u00a0" : text;
}

/** @returns {Head} */
function readHead() {
	const element = document.getElementById("page");
	if (!element) throw new Error("the page has no data");
	const head = /** @type {Head} */ (JSON.parse(element.textContent ?? ""));
	if (head.version !== dataVersion) throw new Error(`the data have form ${head.version}, and these scripts read form ${dataVersion}`);
	return head;
}

/** A page with nothing to draw on it but its head; what needs the data is added by drawRuns. */
class Layout {
	/** @param {Head} head */
	constructor(head) {
		this.head = head;
		/** @type {Diagram[]} */
		this.diagrams = [];
		/** @type {RunData[]} */
		this.runs = [];
		/** @type {State | null} */
		this.state = null;
		this.main = h("main", { id: "main", tabIndex: -1 });
		this.links = h("ul", {});
		const help = createHelp(() => this.keys());
		const app = document.getElementById("app") ?? document.body;
		app.replaceChildren(
			h("a", { class: "skip", href: "#main", onclick: (/** @type {Event} */ event) => this.skip(event) }, "Skip to the content"),
			h("div", { class: "page" },
				h("header", { class: "bar" },
					h("nav", { "aria-label": "Parts of the page" }, this.links),
					h("div", { class: "tools" }, this.copyLink(), themeButton(), help.button)),
				this.main,
				h("footer", {}, h("p", {}, `Made by ${head.program}. `, h("span", { class: "screen" }, "Press ? for the keys.")))),
			help.dialog,
			spoken);
	}

	/** The fragment of the address holds the view, so a link within the page must not change it. @param {Event} event */
	skip(event) {
		event.preventDefault();
		this.main.focus();
		this.main.scrollIntoView();
	}

	copyLink() {
		if (this.head.kind === "sweep") return null;
		const button = h("button", { class: "button", type: "button", title: "Copy a link to what is shown now" }, "Copy link");
		button.addEventListener("click", async () => {
			const copied = await copyText(this.state ? linkTo(this.state.get(), this.runs) : location.href);
			button.textContent = copied ? "Copied" : "Copy the address";
			announce(copied ? "The link is copied" : "The browser does not let this page copy; the address has the link");
			setTimeout(() => { button.textContent = "Copy link"; }, 2500);
		});
		return button;
	}

	/** @returns {{title: string, keys: [string, string][]}[]} */
	keys() {
		const diagram = this.diagrams[0];
		return [
			...(diagram ? [{ title: "On the diagram", keys: diagram.keys }] : []),
			...(this.state ? [{ title: "On a chart", keys: chartKeys }] : []),
			{ title: "Anywhere", keys: /** @type {[string, string][]} */ ([["?", "these keys"], ["Tab", "the next thing that takes keys"], ["Esc", "close"]]) },
		];
	}

	/**
	 * Adds a section, unless there is nothing for it to hold.
	 *
	 * @param {string} id
	 * @param {string} title
	 * @param {Node | null} content
	 * @param {string} [note]
	 */
	section(id, title, content, note = "") {
		if (!content) return;
		const heading = h("h2", { id: `${id}-title`, tabIndex: -1 }, title);
		const section = h("section", { id, "aria-labelledby": heading.id }, heading, note !== "" && h("p", { class: "note" }, note), content);
		this.main.append(section);
		const show = (/** @type {Event} */ event) => {
			event.preventDefault();
			section.scrollIntoView();
			heading.focus({ preventScroll: true });
		};
		this.links.append(h("li", {}, h("a", { href: `#${id}`, onclick: show }, title)));
	}

	/** @param {...(Node | string | null | undefined | false)} children */
	masthead(...children) {
		const lead = this.head.sweep ? [this.head.sweep.headline, this.head.sweep.constants].filter((s) => s !== "").join("; ") : "";
		this.main.append(h("div", { class: "masthead" },
			h("h1", {}, this.head.title), lead !== "" && h("p", { class: "lead" }, lead), ...children.filter((c) => c !== null && c !== undefined)));
	}
}

/**
 * Goes to what a finding is about.
 *
 * @param {Layout} layout
 * @param {number} run
 * @param {Finding} finding
 */
function showFinding(layout, run, finding) {
	const { state } = layout;
	if (!state) return;
	if (finding.machine !== undefined) highlight(state, finding.machine, false);
	if (finding.from !== undefined) {
		const { view } = state.get();
		const to = finding.to ?? finding.from;
		// A little of what was before and after, so that the ends are seen.
		const margin = Math.max((to - finding.from) * 0.1, 1000);
		state.set({ view: { ...view, axis: "time", from: Math.max(0, finding.from - margin), to: to + margin } });
	}
	document.getElementById("diagram")?.scrollIntoView();
	layout.diagrams[run]?.focus();
	announce(finding.text);
}

/**
 * Goes to where runs differ first.
 *
 * @param {Layout} layout
 * @param {import("./types.js").Difference} difference
 */
function showDifference(layout, difference) {
	const { state, runs } = layout;
	if (!state) return;
	const selection = difference.runs.flatMap((run, k) => {
		const at = difference.at[k];
		return at && at.position >= 0 ? [{ run, machine: at.machine, position: at.position }] : [];
	});
	const times = selection.map(({ run, machine, position }) => runs[run].time[runs[run].offset[machine] + position - runs[run].first[machine]]).filter((t) => t !== undefined);
	if (times.length > 0) {
		const longest = Math.max(...runs.map((run) => run.span.to - run.span.from));
		const margin = Math.max(longest / 40, (Math.max(...times) - Math.min(...times)) * 0.25, 1000);
		state.set({ view: { ...state.get().view, axis: "time", from: Math.max(0, Math.min(...times) - margin), to: Math.max(...times) + margin }, selection });
	}
	document.getElementById("diagram")?.scrollIntoView();
	layout.diagrams[difference.runs[0]]?.focus();
	announce(difference.text);
}

/**
 * Decodes the runs and draws them.
 *
 * @param {Layout} layout
 */
async function drawRuns(layout) {
	const { head, main, runs } = layout;
	const waiting = h("p", { class: "waiting", role: "status" }, "Reading the events …");
	main.append(waiting);
	for (const [i, run] of head.runs.entries()) {
		const element = document.getElementById(`data-${i}`);
		runs.push(await openRun(run, element?.textContent ?? ""));
		element?.remove(); // a large run need not be kept twice
	}
	waiting.remove();
	const state = createState(runs);
	layout.state = state;
	connectFragment(state, runs);

	const compared = runs.length > 1;
	const boxes = runs.map((run) => h("div", { class: "diagram-of" }, compared && h("h3", {}, run.head.name)));
	layout.section("diagram", "Space-time diagram", h("div", {}, boxes),
		compared ? "All on one scale: what is zoomed, hidden or highlighted in one is so in all." : runs[0].head.text?.diagram ?? "");
	layout.diagrams = runs.map((run, i) => {
		const box = h("div", {});
		boxes[i].append(box);
		return createDiagram(box, run, i, state, { announce, marks: marksOf(head, i) });
	});

	layout.section("charts", "Over time", chartsElement(runs, state));
	const histograms = runs.map((run) => histogramsElement(run.head));
	if (histograms.some((element) => element)) {
		layout.section("jumps", "Jumps of the clocks", h("div", {}, histograms.map((element, i) => element && h("div", { class: "part-of" },
			compared && h("h3", {}, runs[i].head.name),
			h("p", { class: "note" }, runs[i].head.text?.jumps ?? "By how much each clock rose from one event to the next."), element))),
		"A bar that is one step higher stands for ten times as many events.");
	}
	layout.section("tables", "Figures", compared
		? h("div", { class: "tables" }, runs.map((run) => h("div", {}, h("h3", {}, run.head.name), tablesElement(run.head.tables, "h4"))))
		: runs[0].head.tables.length > 0 ? tablesElement(runs[0].head.tables) : null);
}

/** @param {Head} head */
async function startPage(head) {
	document.title = head.title;
	const layout = new Layout(head);
	if (head.kind === "sweep" && head.sweep) {
		const { sweep } = head;
		layout.masthead(
			verdictElement(sweep.verdict), sweep.pace && h("p", { class: "note" }, `Pace: ${sweep.pace}`),
			againElement(sweep.again, announce),
			sweep.findings.length > 0 && h("ul", { class: "findings", "aria-label": "Findings" }, sweep.findings.map((f) => h("li", {}, h("div", { class: "finding" }, f.text)))));
		layout.section("grid", "The grid", gridElement(sweep), [...(sweep.legend ?? []), "± is the 95 % confidence interval of the mean over the trials."].join(" · "));
		layout.section("findings", "Findings", sectionsElement(sweep));
		layout.section("runs", "Runs", runListElement(sweep), sweep.runs.some((run) => run.page !== "") ? "A run’s name leads to its own page." : "");
		layout.section("tables", "Figures", sweepTablesElement(sweep));
		return;
	}
	if (head.runs.length === 1) {
		const [run] = head.runs;
		layout.masthead(
			verdictElement(run.verdict), factsElement(run.facts), againElement(run.again, announce),
			findingsElement(run, (finding) => showFinding(layout, 0, finding)), run.left !== "" && h("p", { class: "left-out" }, run.left));
	} else {
		layout.masthead(
			h("p", { class: "lead" }, `${head.runs.length} runs, the longest of ${formatDuration(Math.max(...head.runs.map((run) => run.duration)))}`),
			differencesElement(head, (difference) => showDifference(layout, difference)),
			runsElement(head, (run, finding) => showFinding(layout, run, finding), announce));
	}
	// What has been said so far is seen while the events are decoded.
	await new Promise((resolve) => { setTimeout(resolve); });
	await drawRuns(layout);
}

/**
 * Says in plain words why the page, or the rest of it, is not there.
 *
 * @param {unknown} error
 */
function showTrouble(error) {
	document.querySelector("#app .waiting")?.remove();
	const old = typeof DecompressionStream === "undefined" || typeof IntersectionObserver === "undefined";
	(document.getElementById("main") ?? document.getElementById("app") ?? document.body).append(h("div", { class: "trouble", role: "alert" },
		h("h2", {}, "This page cannot be shown in full"),
		h("p", {}, old
			? "This browser is too old for it: it needs Chrome or Edge 103, Firefox 113 or Safari 16.4, or a later one."
			: `Its data cannot be read; the file may have been cut off or changed. Write it again with “launcher report”. (${error instanceof Error ? error.message : String(error)})`)));
}

/** Begins, and ends in words whatever happens. */
async function runPage() {
	try {
		followTheme();
		await startPage(readHead());
	} catch (error) {
		showTrouble(error);
		console.error(error);
	}
	document.documentElement.dataset.ready = ""; // all is drawn, or said
}

runPage();

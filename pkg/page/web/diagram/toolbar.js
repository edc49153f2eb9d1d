import { h } from "../dom.js";
import { formatCount, formatPlural } from "../format.js";
import { popover } from "./popover.js";

/**
 * The tools over the diagram.
 *
 * @typedef {object} ToolActions
 * @property {(axis: "time" | "clock") => void} setAxis
 * @property {(factor: number) => void} zoom
 * @property {() => void} showAll
 * @property {() => void} toggleQuiet
 * @property {() => void} toggleCut
 * @property {(query: string) => void} search
 * @property {(step: 1 | -1) => void} nextHit
 * @property {() => void} leaveSearch
 * @property {(factor: number) => void} taller 0: all lines in sight
 * @property {(machine: number, what: "hidden" | "folded" | "highlighted") => void} toggleMachine
 * @property {(machine: number, by: number) => void} moveMachine
 * @property {() => void} showMachines
 * @property {(what: "svg" | "png" | "tikz" | "chosen" | "view") => void} exportAs
 *
 * @typedef {object} Toolbar
 * @property {HTMLElement} element
 * @property {HTMLInputElement} search
 * @property {(state: import("../state.js").PageState) => void} update
 * @property {(hits: number, done: boolean, at: number) => void} setHits at: 1 … hits; 0: none of them
 */

/** @param {string} label @param {string} title @param {() => void} action @param {Record<string, unknown>} [more] */
function tool(label, title, action, more = {}) {
	return h("button", { class: "button", type: "button", title, onclick: action, ...more }, label);
}

/**
 * @param {import("../run.js").RunData} run @param {string} name of the diagram, not that of another
 * @param {() => import("../state.js").PageState} get @param {ToolActions} actions
 * @returns {Toolbar}
 */
export function createToolbar(run, name, get, actions) {
	const time = tool("Wall clock", "x is the time at which events were executed", () => actions.setAxis("time"), { "aria-pressed": "true" });
	const clock = tool("Logical time", "x is the total order of (clock, machine)", () => actions.setAxis("clock"), { "aria-pressed": "false" });
	const quiet = tool("Fold quiet", "Shorten stretches without messages", actions.toggleQuiet, { "aria-pressed": "false" });
	const cut = tool("Cut", "A cut through all lines: is it consistent, and what is in flight?", actions.toggleCut, { "aria-pressed": "false" });

	const search = h("input", {
		type: "search", class: "search", placeholder: "Search: receive clock>100", "aria-label": `Search events of ${name}`, spellcheck: false, autocomplete: "off",
		title: "send, receive, internal, machine:1, clock:17, clock>100, step:5, queue>3, from:1, to:2, or any text of a log line",
	});
	const found = h("output", { class: "found", "aria-live": "polite" });
	const back = tool("‹", "Previous hit (Shift+N)", () => actions.nextHit(-1), { "aria-label": "Previous hit", disabled: true });
	const on = tool("›", "Next hit (N)", () => actions.nextHit(1), { "aria-label": "Next hit", disabled: true });
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	let timer;
	search.addEventListener("input", () => {
		clearTimeout(timer);
		timer = setTimeout(() => actions.search(search.value), 200);
	});
	search.addEventListener("keydown", (event) => {
		if (event.key === "Escape") actions.leaveSearch();
	});
	const form = h("form", { role: "search", "aria-label": `Search ${name}`, class: "search-form", onsubmit: (/** @type {Event} */ event) => {
		event.preventDefault();
		clearTimeout(timer);
		if (search.value !== get().search) actions.search(search.value);
		else actions.nextHit(1);
	} }, search, back, on, found);

	const machines = popover("Machines", () => machineList(run, get(), actions), "Hide, fold, order and highlight machines");
	const save = popover("Export", () => h("ul", { class: "menu" },
		...(/** @type {[string, Parameters<ToolActions["exportAs"]>[0]][]} */ ([
			["Picture as SVG", "svg"], ["Picture as PNG", "png"], ["Figure for LaTeX (TikZ)", "tikz"],
			["Log lines of what is chosen", "chosen"], ["Log lines of what is in sight", "view"],
		])).map(([label, what]) => h("li", {}, h("button", { type: "button", onclick: () => {
			save.close();
			actions.exportAs(what);
		} }, label)))), "The current view as a picture, a figure or text");

	const element = h("div", { class: "diagram-tools", role: "toolbar", "aria-label": `Diagram of ${name}` },
		h("div", { class: "tool-group segmented", role: "group", "aria-label": "Horizontal axis" }, time, clock),
		h("div", { class: "tool-group", role: "group", "aria-label": "Zoom" },
			tool("−", "Zoom out (−)", () => actions.zoom(1 / 2), { class: "button icon", "aria-label": "Zoom out" }),
			tool("+", "Zoom in (+)", () => actions.zoom(2), { class: "button icon", "aria-label": "Zoom in" }),
			tool("Whole run", "Show the whole run (0)", actions.showAll)),
		h("div", { class: "tool-group" }, quiet, cut, machines.element, save.element),
		form);
	return {
		element, search,
		update(state) {
			time.setAttribute("aria-pressed", String(state.view.axis === "time"));
			clock.setAttribute("aria-pressed", String(state.view.axis === "clock"));
			quiet.setAttribute("aria-pressed", String(state.quiet));
			cut.setAttribute("aria-pressed", String(state.cut !== null));
			if (document.activeElement !== search) search.value = state.search;
			machines.refresh();
		},
		setHits(hits, done, at) {
			back.disabled = on.disabled = hits === 0;
			const text = get().search === "" ? "" : hits === 0 ? (done ? "no event" : "…") : at > 0 ? `${formatCount(at)} of ${formatCount(hits)}` : formatPlural(hits, "event");
			found.textContent = text + (done || hits === 0 ? "" : " …");
		},
	};
}

/**
 * @param {import("../run.js").RunData} run @param {import("../state.js").PageState} state @param {ToolActions} actions
 */
function machineList(run, state, actions) {
	const { order, hidden, folded, highlighted } = state.machines;
	const list = h("ul", { class: "machine-list" });
	for (const machine of order.filter((i) => i < run.machines)) {
		const { id, rate } = run.head.machines[machine];
		/** @param {string} label @param {"hidden" | "folded" | "highlighted"} what @param {number[]} on */
		const toggle = (label, what, on) => h("button", {
			type: "button", class: "button small", "aria-pressed": String(on.includes(machine)), "aria-label": `${label} vm-${id}`,
			onclick: () => actions.toggleMachine(machine, what),
		}, label);
		const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
		swatch.style.background = `var(--machine-${run.head.machines[machine].color % 8})`;
		list.append(h("li", {},
			swatch, h("span", { class: "name" }, `vm-${id}`, h("small", {}, rate === "max" ? " max rate" : ` ${rate}/s`)),
			toggle("Highlight", "highlighted", highlighted), toggle("Fold", "folded", folded), toggle("Hide", "hidden", hidden),
			h("button", { type: "button", class: "button small", "aria-label": `Move vm-${id} up`, onclick: () => actions.moveMachine(machine, -1) }, "↑"),
			h("button", { type: "button", class: "button small", "aria-label": `Move vm-${id} down`, onclick: () => actions.moveMachine(machine, 1) }, "↓")));
	}
	return h("div", {},
		h("div", { class: "machine-tools" },
			h("button", { type: "button", class: "button small", onclick: actions.showMachines }, "Show all as they were"),
			h("span", { class: "tool-group" }, "Lines",
				h("button", { type: "button", class: "button small", "aria-label": "Lines less tall", onclick: () => actions.taller(1 / 1.4) }, "−"),
				h("button", { type: "button", class: "button small", "aria-label": "Lines taller", onclick: () => actions.taller(1.4) }, "+"),
				h("button", { type: "button", class: "button small", onclick: () => actions.taller(0) }, "All in sight"))),
		list);
}

import { chartKinds, fewMachines, spanColor } from "./chart.js";
import { h } from "./dom.js";
import { machineProperty } from "./theme.js";

/**
 * @typedef {import("./run.js").RunData} RunData
 * @typedef {import("./state.js").State} State
 */

/**
 * Which colour is which machine; pressing a key highlights the machine, here and in the diagram.
 *
 * @param {RunData[]} runs
 * @param {State} state
 */
export function chartLegend(runs, state) {
	const widest = runs.reduce((a, b) => (b.machines > a.machines ? b : a));
	const items = widest.machines <= fewMachines ? machineKeys(widest, state) : [machinePicker(widest, state)];
	for (const kind of chartKinds) {
		if (kind.beside === "" || !runs.some((run) => run.head.series.some((s) => kind.beside.split(" ").includes(s.name)))) continue;
		const line = h("span", { class: "line dashed" });
		line.style.setProperty("--mark", "var(--muted)");
		items.push(h("li", { class: "key" }, line, kind.besideTitle));
	}
	for (const kind of new Set(runs.flatMap((run) => run.head.spans.map((s) => s.kind)))) {
		const area = h("span", { class: "area" });
		area.style.setProperty("--mark", `color-mix(in srgb, var(${spanColor(kind)[0]}) 45%, transparent)`);
		items.push(h("li", { class: "key" }, area, kind));
	}
	return h("ul", { class: "legend", "aria-label": "Legend" }, items);
}

/**
 * @param {RunData} run
 * @param {State} state
 */
function machineKeys(run, state) {
	const buttons = run.head.machines.map((machine, i) => {
		const line = h("span", { class: "line" });
		line.style.setProperty("--mark", `var(${machineProperty(machine.color)})`);
		const rate = machine.ticksPerSecond === null ? "" : ` · ${machine.rate}/s`;
		return h("button", { class: "key", type: "button", "aria-pressed": "false", title: "Highlight this machine", onclick: () => highlight(state, i, true) }, line, `vm-${machine.id}${rate}`);
	});
	const show = () => buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(state.get().machines.highlighted.includes(i))));
	state.subscribe((changed) => {
		if (changed.has("machines")) show();
	});
	show();
	return buttons.map((button) => h("li", {}, button));
}

/**
 * @param {RunData} run
 * @param {State} state
 */
function machinePicker(run, state) {
	const select = h("select", { class: "select", "aria-label": "Highlight a machine" },
		h("option", { value: "" }, `${run.machines} machines`),
		run.head.machines.map((machine, i) => h("option", { value: String(i) }, `vm-${machine.id} · ${machine.rate}/s`)));
	select.addEventListener("change", () => {
		if (select.value === "") {
			state.set({ machines: { ...state.get().machines, highlighted: [] } });
		} else {
			highlight(state, Number(select.value), false);
		}
	});
	return h("li", {}, select);
}

/**
 * Highlights a machine alone.
 *
 * @param {State} state
 * @param {number} machine
 * @param {boolean} toggle take the highlight away if it is there
 */
export function highlight(state, machine, toggle) {
	const { machines } = state.get();
	const off = toggle && machines.highlighted.includes(machine);
	state.set({ machines: { ...machines, highlighted: off ? [] : [machine] } });
}

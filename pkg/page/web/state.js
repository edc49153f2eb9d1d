/**
 * What the reader is looking at: shared by the diagram and the charts, and told by the page's address (fragment.js).
 *
 * @typedef {{run: number, machine: number, position: number}} Place an event of a run; run and machine are places
 * @typedef {Place & {index: number}} MessagePlace a message: its send, and which of the send's messages
 *
 * @typedef {object} View
 * @property {number} from µs; with the logical axis, about the time that its events cover
 * @property {number} to
 * @property {"time" | "clock"} axis what x is in the diagram: the wall clock, or the total order of (clock, machine)
 * @property {{from: number, to: number}} clock what the diagram shows when x is the logical clock
 *
 * @typedef {object} MachineView by place, for all runs
 * @property {number[]} order
 * @property {number[]} hidden
 * @property {number[]} folded
 * @property {number[]} highlighted
 *
 * @typedef {object} PageState
 * @property {View} view
 * @property {number | null} cursor µs that the pointer is at
 * @property {Place | null} focus event that the keyboard is at
 * @property {Place[]} selection none, one or two events
 * @property {MessagePlace | null} message
 * @property {MachineView} machines
 * @property {boolean} quiet whether stretches without messages are folded
 * @property {number} rows pixels of a line of the diagram; 0: as many as leave all in sight
 * @property {number[] | null} cut by machine, how many events are in it
 * @property {string} search
 *
 * @typedef {Set<keyof PageState>} Changed
 *
 * @typedef {object} State
 * @property {RunData[]} runs
 * @property {() => PageState} get
 * @property {(patch: Partial<PageState>) => void} set
 * @property {(fn: (changed: Changed) => void) => () => void} subscribe calls back after every change; returns what ends it
 *
 * @typedef {import("./run.js").RunData} RunData
 */

/**
 * @param {RunData[]} runs
 * @returns {State}
 */
export function createState(runs) {
	let state = initialState(runs);
	/** @type {Set<(changed: Changed) => void>} */
	const listeners = new Set();
	return {
		runs,
		get: () => state,
		set(patch) {
			const changed = /** @type {Changed} */ (new Set());
			for (const key of /** @type {(keyof PageState)[]} */ (Object.keys(patch))) {
				if (patch[key] !== undefined && !sameValue(state[key], patch[key])) changed.add(key);
			}
			if (changed.size === 0) return;
			state = { ...state, ...patch };
			for (const listener of [...listeners]) listener(changed);
		},
		subscribe(listener) {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},
	};
}

/** Plain data, so the text of it tells. @param {unknown} a @param {unknown} b */
function sameValue(a, b) {
	return a === b || (typeof a === "object" && typeof b === "object" && JSON.stringify(a) === JSON.stringify(b));
}

/**
 * The whole of all runs, and nothing chosen.
 *
 * @param {RunData[]} runs
 * @returns {PageState}
 */
export function initialState(runs) {
	const machines = Math.max(0, ...runs.map((run) => run.machines));
	return {
		view: { ...wholeSpan(runs), axis: "time", clock: wholeClocks(runs) },
		cursor: null,
		focus: null,
		selection: [],
		message: null,
		machines: { order: Array.from({ length: machines }, (_, i) => i), hidden: [], folded: [], highlighted: [] },
		quiet: false,
		rows: 0,
		cut: null,
		search: "",
	};
}

/** µs from the start of the first run to the end of the last. @param {RunData[]} runs */
export function wholeSpan(runs) {
	if (runs.length === 0) return { from: 0, to: 1 };
	return { from: Math.min(...runs.map((run) => run.span.from)), to: Math.max(...runs.map((run) => run.span.to)) };
}

/** @param {RunData[]} runs */
export function wholeClocks(runs) {
	if (runs.length === 0) return { from: 0, to: 1 };
	return { from: Math.min(...runs.map((run) => run.clocks.from)), to: Math.max(...runs.map((run) => run.clocks.to)) };
}

import { eventAt } from "./run.js";
import { initialState } from "./state.js";

/**
 * The view as the fragment of the page's address, so that a link shows what its sender saw. Numbers alone, and a search:
 *
 *     t=0,60000000   µs shown             x=clock        logical axis, l=0,300  clocks shown
 *     a=0.1.17       chosen event: run.machine.position; b a second one       m=0.1.17.0  a message of a send
 *     cut=12,60,48   events in the cut, by machine       order= hide= fold= mark=  places of machines
 *     quiet=1        fold stretches without messages     rows=24  pixels of a line   q=text
 *
 * What comes in is a stranger's: whatever is not as it should be is passed over, one thing by one.
 *
 * @typedef {import("./state.js").PageState} PageState
 * @typedef {import("./state.js").Place} Place
 * @typedef {import("./run.js").RunData} RunData
 */

const longest = 1000; // characters of a search that are kept

/** Pixels of a line of the diagram, at most. */
export const maxRowHeight = 200;

/**
 * @param {PageState} state @param {RunData[]} runs
 * @returns {string} without the "#"; "" for the page as it opens
 */
export function writeFragment(state, runs) {
	const initial = initialState(runs);
	/** @type {[string, string][]} */
	const parts = [];
	const { view, machines } = state;
	if (view.from !== initial.view.from || view.to !== initial.view.to) parts.push(["t", `${short(view.from)},${short(view.to)}`]);
	if (view.axis === "clock") parts.push(["x", "clock"]);
	if (view.clock.from !== initial.view.clock.from || view.clock.to !== initial.view.clock.to) parts.push(["l", `${short(view.clock.from)},${short(view.clock.to)}`]);
	state.selection.forEach((place, k) => parts.push([k === 0 ? "a" : "b", `${place.run}.${place.machine}.${place.position}`]));
	const m = state.message;
	if (m) parts.push(["m", `${m.run}.${m.machine}.${m.position}.${m.index}`]);
	if (state.cut) parts.push(["cut", state.cut.join()]);
	if (machines.order.join() !== initial.machines.order.join()) parts.push(["order", machines.order.join()]);
	if (machines.hidden.length > 0) parts.push(["hide", machines.hidden.join()]);
	if (machines.folded.length > 0) parts.push(["fold", machines.folded.join()]);
	if (machines.highlighted.length > 0) parts.push(["mark", machines.highlighted.join()]);
	if (state.quiet) parts.push(["quiet", "1"]);
	if (state.rows > 0) parts.push(["rows", String(state.rows)]);
	if (state.search !== "") parts.push(["q", encodeURIComponent(state.search.slice(0, longest).replace(/\p{Surrogate}/gu, "\ufffd"))]);
	return parts.map(([key, value]) => `${key}=${value}`).join("&");
}

/** Places in the picture finer than a thousandth of a µs or a tick cannot be seen. @param {number} x */
function short(x) {
	return String(Math.round(x * 1000) / 1000);
}

/**
 * The state that a fragment tells of: the page as it opens where it says nothing, or nothing that could be.
 *
 * @param {string} fragment with or without the "#"
 * @param {RunData[]} runs
 * @returns {PageState}
 */
export function readFragment(fragment, runs) {
	const state = initialState(runs);
	/** @type {Map<string, string>} */
	const parts = new Map();
	for (const part of fragment.replace(/^#/, "").slice(0, 100000).split("&")) {
		const at = part.indexOf("=");
		if (at > 0 && !parts.has(part.slice(0, at))) parts.set(part.slice(0, at), part.slice(at + 1));
	}
	/** @param {string} key */
	const get = (key) => parts.get(key) ?? "";

	const whole = state.view;
	const clock = range(get("l"), whole.clock.from, whole.clock.to) ?? whole.clock;
	const time = range(get("t"), whole.from, whole.to) ?? whole;
	state.view = { from: time.from, to: time.to, axis: get("x") === "clock" ? "clock" : "time", clock };
	const a = placeOf(get("a"), runs);
	const b = placeOf(get("b"), runs);
	if (a) state.selection = b ? [a, b] : [a];
	state.message = messageOf(get("m"), runs);

	const machines = state.machines.order.length;
	const order = places(get("order"), machines);
	if (order.length === machines) state.machines.order = order;
	state.machines.hidden = places(get("hide"), machines);
	state.machines.folded = places(get("fold"), machines);
	state.machines.highlighted = places(get("mark"), machines);
	if (state.machines.hidden.length === machines) state.machines.hidden = [];
	state.cut = cutOf(get("cut"), runs, machines);
	state.quiet = get("quiet") === "1";
	if (/^\d{1,3}$/.test(get("rows"))) state.rows = Math.min(Number(get("rows")), maxRowHeight);
	try {
		state.search = decodeURIComponent(get("q")).slice(0, longest);
	} catch {
		state.search = ""; // not a code of any text
	}
	return state;
}

/** @param {string} text @param {number} least @param {number} greatest */
function range(text, least, greatest) {
	const match = /^(-?\d{1,17}(?:\.\d{1,3})?),(-?\d{1,17}(?:\.\d{1,3})?)$/.exec(text);
	if (!match) return null;
	const size = greatest - least;
	const from = Math.max(Number(match[1]), least - size);
	const to = Math.min(Number(match[2]), greatest + size);
	return to > from ? { from, to } : null;
}

/** Different places of machines. @param {string} text @param {number} machines */
function places(text, machines) {
	if (!/^\d{1,5}(?:,\d{1,5})*$/.test(text)) return [];
	return [...new Set(text.split(",").map(Number))].filter((i) => i < machines);
}

/** @param {string} text @param {RunData[]} runs @returns {Place | null} */
function placeOf(text, runs) {
	const match = /^(\d{1,5})\.(\d{1,5})\.(\d{1,10})$/.exec(text);
	if (!match) return null;
	const [run, machine, position] = match.slice(1).map(Number);
	if (run >= runs.length || machine >= runs[run].machines || eventAt(runs[run], machine, position) < 0) return null;
	return { run, machine, position };
}

/** @param {string} text @param {RunData[]} runs */
function messageOf(text, runs) {
	const match = /^(.*)\.(\d{1,10})$/.exec(text);
	const place = match && placeOf(match[1], runs);
	if (!match || !place) return null;
	const run = runs[place.run];
	const e = eventAt(run, place.machine, place.position);
	const index = Number(match[2]);
	return run.messagesBefore[e] + index < run.messagesBefore[e + 1] ? { ...place, index } : null;
}

/** @param {string} text @param {RunData[]} runs @param {number} machines */
function cutOf(text, runs, machines) {
	if (!/^\d{1,10}(?:,\d{1,10})*$/.test(text)) return null;
	const cut = text.split(",").map(Number);
	if (cut.length !== machines) return null;
	return cut.map((n, i) => {
		const ends = runs.filter((run) => i < run.machines).map((run) => run.first[i] + run.offset[i + 1] - run.offset[i]);
		return Math.min(n, Math.max(...ends, 0));
	});
}

/**
 * Takes the state from the page's address, and keeps the address up with the state.
 *
 * @param {import("./state.js").State} state @param {RunData[]} runs
 * @returns {() => void} ends it
 */
export function connectFragment(state, runs) {
	let written = "";
	const read = () => {
		const fragment = location.hash.slice(1);
		if (fragment === written) return;
		written = fragment;
		state.set(readFragment(fragment, runs));
	};
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	let timer;
	const write = () => {
		timer = undefined;
		const fragment = writeFragment(state.get(), runs);
		if (fragment === written) return;
		written = fragment;
		history.replaceState(null, "", fragment === "" ? location.pathname + location.search : "#" + fragment);
	};
	read();
	const unsubscribe = state.subscribe((changed) => {
		if (changed.size === 1 && (changed.has("cursor") || changed.has("focus"))) return;
		// Browsers stop a page that writes its address with every frame.
		timer ??= setTimeout(write, 300);
	});
	addEventListener("hashchange", read);
	return () => {
		clearTimeout(timer);
		unsubscribe();
		removeEventListener("hashchange", read);
	};
}

/** The link to what is seen now. @param {PageState} state @param {RunData[]} runs */
export function linkTo(state, runs) {
	const fragment = writeFragment(state, runs);
	return location.href.replace(/#.*$/s, "") + (fragment === "" ? "" : "#" + fragment);
}

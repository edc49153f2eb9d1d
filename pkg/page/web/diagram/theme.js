/**
 * The colours of the page, read from its styles, and what follows from them.
 *
 * @typedef {object} Palette
 * @property {string} surface
 * @property {string} raised
 * @property {string} ink
 * @property {string} muted
 * @property {string} faint
 * @property {string} hairline
 * @property {string} accent
 * @property {string} selection
 * @property {string} past
 * @property {string} future
 * @property {string} bad
 * @property {string} warn
 * @property {string} good
 * @property {string} sans
 * @property {string} mono
 * @property {MachineColours[]} machines
 * @property {MachineColours} grey for what is concurrent
 *
 * @typedef {{internal: string, send: string, receive: string}} MachineColours
 */

const machineColours = 8;

/** From more machines on, colours tell nothing any more, and messages are grey. */
export const manyMachines = 16;

/** @param {Element} element @returns {Palette} */
export function readPalette(element) {
	const style = getComputedStyle(element);
	/** @param {string} name @param {string} otherwise */
	const get = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
	const surface = get("--surface", "#ffffff");
	const ink = get("--ink", "#1d1e22");
	const faint = get("--faint", "#8d9099");
	/** @param {string} colour @returns {MachineColours} */
	const tints = (colour) => ({ internal: mix(colour, surface, 0.55), send: colour, receive: mix(colour, ink, 0.45) });
	return {
		surface, ink, faint,
		raised: get("--raised", "#f2f0eb"),
		muted: get("--muted", "#575a64"),
		hairline: get("--hairline", "#dfdcd5"),
		accent: get("--accent", "#0a5a9c"),
		selection: get("--selection", "#1d1e22"),
		past: get("--past", "#7a3ea0"),
		future: get("--future", "#0b7a75"),
		bad: get("--bad", "#ab2318"),
		warn: get("--warn", "#805200"),
		good: get("--good", "#14683f"),
		sans: get("--sans", "sans-serif"),
		mono: get("--mono", "monospace"),
		machines: Array.from({ length: machineColours }, (_, i) => tints(get(`--machine-${i}`, "#0072B2"))),
		grey: { internal: mix(faint, surface, 0.78), send: mix(faint, surface, 0.6), receive: mix(faint, surface, 0.45) },
	};
}

/**
 * The colours of a machine.
 *
 * @param {Palette} palette @param {import("../run.js").RunData} run @param {number} machine
 */
export function coloursOf(palette, run, machine) {
	return palette.machines[run.head.machines[machine].color % machineColours];
}

/**
 * One colour with so much of another in it.
 *
 * @param {string} a #rrggbb @param {string} b @param {number} share of b
 */
export function mix(a, b, share) {
	const [x, y] = [channels(a), channels(b)];
	return "#" + x.map((v, k) => Math.round(v + (y[k] - v) * share).toString(16).padStart(2, "0")).join("");
}

/** @param {string} colour @returns {[number, number, number]} */
export function channels(colour) {
	const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(colour)?.[1] ?? "888888";
	const full = hex.length === 3 ? [...hex].map((c) => c + c).join("") : hex;
	const n = parseInt(full, 16);
	return [n >> 16, (n >> 8) & 255, n & 255];
}

/** With so much opacity. @param {string} colour #rrggbb @param {number} opacity 0 … 1 */
export function faded(colour, opacity) {
	return `rgba(${channels(colour).join(", ")}, ${opacity})`;
}

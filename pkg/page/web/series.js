/**
 * Series of a run, as the charts draw them.
 *
 * @typedef {import("./run.js").RunData} RunData
 *
 * @typedef {object} Line one machine's values over time
 * @property {number} machine place in Run.machines
 * @property {number} t0 µs
 * @property {number} dt µs
 * @property {Float64Array} low least value in the time from t0 + k·dt to the next
 * @property {Float64Array} high greatest value there
 */

/**
 * The lines of a name, one for each machine that has one, by machine.
 *
 * @param {RunData} run
 * @param {string} name
 * @returns {Line[]}
 */
export function readLines(run, name) {
	return run.head.series.filter((s) => s.name === name).map((s) => {
		const low = sumUp(run.section(s.sections[0], s.machine), s.scale);
		const high = s.sections[1] === s.sections[0] ? low : sumUp(run.section(s.sections[1], s.machine), s.scale);
		return { machine: s.machine, t0: s.t0, dt: s.dt, low, high };
	}).filter((line) => line.low.length > 0 && line.low.length === line.high.length);
}

/**
 * @param {Float64Array} differences
 * @param {number} scale
 */
function sumUp(differences, scale) {
	const values = new Float64Array(differences.length);
	let sum = 0;
	for (let k = 0; k < differences.length; k++) {
		sum += differences[k];
		values[k] = sum * scale;
	}
	return values;
}

/**
 * The place of an instant in a line, held to its ends.
 *
 * @param {Line} line
 * @param {number} micro
 */
export function placeInLine(line, micro) {
	return Math.max(0, Math.min(line.low.length - 1, Math.floor((micro - line.t0) / line.dt)));
}

/**
 * The lines on one axis of time, as a chart library wants them: at each instant two points, the least and the greatest
 * value, the one nearer to what was before first, so that a step is drawn as one.
 *
 * @param {Line[]} lines
 * @returns {{x: Float64Array, values: (Float64Array | (number | null)[])[]}} x in seconds
 */
export function alignLines(lines) {
	if (lines.length === 0) return { x: new Float64Array(0), values: [] };
	// One grid for all: that of the finest line.
	const t0 = Math.min(...lines.map((l) => l.t0));
	const dt = Math.min(...lines.map((l) => l.dt));
	const end = Math.max(...lines.map((l) => l.t0 + l.dt * l.low.length));
	const count = Math.max(1, Math.round((end - t0) / dt));
	const x = new Float64Array(count * 2);
	for (let k = 0; k < count; k++) {
		x[2 * k] = (t0 + k * dt) / 1e6;
		x[2 * k + 1] = (t0 + (k + 0.999) * dt) / 1e6;
	}
	return { x, values: lines.map((line) => spreadSteps(line, t0, dt, count)) };
}

/**
 * @param {Line} line
 * @param {number} t0
 * @param {number} dt
 * @param {number} count
 */
function spreadSteps(line, t0, dt, count) {
	const whole = line.t0 === t0 && line.dt === dt && line.low.length >= count;
	const values = whole ? new Float64Array(count * 2) : /** @type {(number | null)[]} */ (new Array(count * 2).fill(null));
	let before = line.low[0];
	for (let k = 0; k < count; k++) {
		const place = whole ? k : Math.floor((t0 + (k + 0.5) * dt - line.t0) / line.dt);
		if (place < 0 || place >= line.low.length) continue;
		const low = line.low[place];
		const high = line.high[place];
		const rising = Math.abs(low - before) <= Math.abs(high - before);
		values[2 * k] = rising ? low : high;
		values[2 * k + 1] = before = rising ? high : low;
	}
	return values;
}

/**
 * The ends of a span of time, and between them the instants at which a line that goes straight from one of its values
 * to the next has one.
 *
 * @param {Line} line
 * @param {number} from µs
 * @param {number} to µs
 */
export function instantsOnLine(line, from, to) {
	const instants = [from];
	const last = Math.min(line.low.length - 1, Math.ceil((to - line.t0) / line.dt) - 1);
	for (let k = Math.max(0, Math.floor((from - line.t0) / line.dt) + 1); k <= last; k++) instants.push(line.t0 + k * line.dt);
	instants.push(to);
	return instants;
}

/**
 * The value of a straight line at an instant.
 *
 * @param {Line} line
 * @param {number} micro
 */
export function valueOnLine(line, micro) {
	const at = Math.max(0, Math.min(line.low.length - 1, (micro - line.t0) / line.dt));
	const k = Math.min(Math.floor(at), Math.max(0, line.low.length - 2));
	const next = line.low[Math.min(k + 1, line.low.length - 1)];
	return line.low[k] + (next - line.low[k]) * (at - k);
}

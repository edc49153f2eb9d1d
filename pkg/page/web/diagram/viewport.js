import { createAxis } from "./axis.js";
import { createScale, firstAbove, firstAtLeast } from "./scale.js";

/**
 * Which part of which axis is in sight, and how it moves.
 *
 * @typedef {import("../run.js").RunData} RunData
 * @typedef {import("../state.js").State} State
 */

const glideTime = 180; // ms
const leastTime = 20; // µs in sight, at least
const leastClock = 1;

export class Viewport {
	/** @param {RunData} run @param {State} state */
	constructor(run, state) {
		this.run = run;
		this.state = state;
		/** @type {{time?: import("./axis.js").Axis, clock?: import("./axis.js").Axis}} */
		this.axes = {};
		this.scale = createScale(0, 1, 0, 1);
		this.gliding = 0;
	}

	/** @param {"time" | "clock"} name */
	axisNamed(name) {
		return (this.axes[name] ??= createAxis(this.run, name));
	}

	get axis() {
		return this.axisNamed(this.state.get().view.axis);
	}

	/** The range of the axis that is shown. */
	get range() {
		const { view } = this.state.get();
		return view.axis === "time" ? view : view.clock;
	}

	/** @param {number} from @param {number} to */
	setRange(from, to) {
		const { view } = this.state.get();
		const axis = this.axis;
		const whole = axis.to - axis.from;
		const least = axis.name === "time" ? leastTime : leastClock;
		let size = Math.max(least, Math.min(to - from, whole));
		if (!Number.isFinite(size)) size = whole;
		let start = (from + to) / 2 - size / 2;
		start = Math.max(axis.from, Math.min(axis.to - size, start));
		if (size >= whole) [start, size] = [axis.from, whole];
		const range = { from: start, to: start + size };
		if (axis.name === "time") this.state.set({ view: { ...view, ...range } });
		else this.state.set({ view: { ...view, ...this.acrossAxes("clock", "time", range), clock: range } });
	}

	/** What a range of one axis covers on the other: that of its events. @param {"time" | "clock"} from @param {"time" | "clock"} to @param {{from: number, to: number}} range */
	acrossAxes(from, to, range) {
		const { run } = this;
		const [source, target] = [this.axisNamed(from), this.axisNamed(to)];
		if (range.from <= source.from && range.to >= source.to) return { from: target.from, to: target.to };
		let [least, greatest] = [Infinity, -Infinity];
		for (let i = 0; i < run.machines; i++) {
			const a = firstAtLeast(source.values, range.from, run.offset[i], run.offset[i + 1]);
			const z = firstAbove(source.values, range.to, a, run.offset[i + 1]) - 1;
			if (z < a) continue;
			least = Math.min(least, target.values[a]);
			greatest = Math.max(greatest, target.values[z]);
		}
		if (greatest < least) return { from: target.from, to: target.to };
		const margin = Math.max((greatest - least) * 0.02, to === "clock" ? 1 : 20);
		return { from: Math.max(target.from, least - margin), to: Math.min(target.to, greatest + margin) };
	}

	/** @param {number} dx pixels */
	pan(dx) {
		const { scale } = this;
		this.stopGliding();
		const [from, to] = [scale.toValue(scale.left - dx), scale.toValue(scale.left + scale.width - dx)];
		const size = this.range.to - this.range.from;
		// Across folds the ends move by different amounts; without them the size must not creep.
		if (!scale.folds) this.setRange(from, from + size);
		else if (from >= this.axis.from && to <= this.axis.to) this.setRange(from, to);
	}

	/** @param {number} x pixel @param {number} factor above 1: nearer */
	zoomAbout(x, factor) {
		this.stopGliding();
		const [from, to] = this.zoomed(x, factor);
		this.setRange(from, to);
	}

	/** @param {number} x @param {number} factor @returns {[number, number]} */
	zoomed(x, factor) {
		const { scale } = this;
		return [scale.toValue(x - (x - scale.left) / factor), scale.toValue(x + (scale.left + scale.width - x) / factor)];
	}

	/** Moves smoothly, unless the reader wants no motion. @param {number} from @param {number} to */
	glide(from, to) {
		this.stopGliding();
		const start = { ...this.range };
		if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
			this.setRange(from, to);
			return;
		}
		const began = performance.now();
		const step = () => {
			const part = Math.min(1, (performance.now() - began) / glideTime);
			const ease = 1 - (1 - part) ** 3;
			this.setRange(start.from + (from - start.from) * ease, start.to + (to - start.to) * ease);
			this.gliding = part < 1 ? requestAnimationFrame(step) : 0;
		};
		step();
	}

	stopGliding() {
		cancelAnimationFrame(this.gliding);
		this.gliding = 0;
	}

	/** @param {number} value of the axis */
	centre(value) {
		const half = (this.range.to - this.range.from) / 2;
		this.stopGliding();
		this.setRange(value - half, value + half);
	}
}

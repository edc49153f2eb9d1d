import { h } from "../dom.js";
import { sizeCanvas } from "./draw.js";
import { coloursOf, faded, manyMachines } from "./theme.js";

/** The whole run in one strip: where there are messages, what part is in sight, and what was found and chosen. */
export class Minimap {
	/** @param {import("../run.js").RunData} run @param {(value: number) => void} centre called with the value of the axis to go to */
	constructor(run, centre) {
		this.run = run;
		this.canvas = h("canvas", { "aria-hidden": "true" });
		this.element = h("div", { class: "minimap", title: "The whole run; press to go somewhere", "aria-hidden": "true" }, this.canvas);
		this.height = 26;
		/** @type {{key: string, image: HTMLCanvasElement} | null} */
		this.ground = null;
		/** @type {((x: number) => number) | null} */
		this.valueAt = null;
		const go = (/** @type {PointerEvent} */ event) => {
			if (this.valueAt && event.buttons !== 0) centre(this.valueAt(event.clientX - this.element.getBoundingClientRect().left));
		};
		this.element.addEventListener("pointerdown", (event) => {
			this.element.setPointerCapture(event.pointerId);
			go(event);
		});
		this.element.addEventListener("pointermove", go);
	}

	/**
	 * @param {import("./axis.js").Axis} axis @param {{from: number, to: number}} range @param {import("./theme.js").Palette} palette
	 * @param {import("./draw.js").Layout} layout @param {{hits: number[], chosen: number[]}} marks
	 */
	draw(axis, range, palette, layout, { hits, chosen }) {
		const ratio = Math.min(window.devicePixelRatio || 1, 3);
		const { width, left, plotWidth } = layout;
		sizeCanvas(this.canvas, width, this.height, ratio);
		const start = left + 12;
		const size = plotWidth - 24;
		const toPixel = (/** @type {number} */ value) => start + ((value - axis.from) / (axis.to - axis.from)) * size;
		this.valueAt = (x) => axis.from + ((x - start) / size) * (axis.to - axis.from);
		const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
		context.setTransform(1, 0, 0, 1, 0, 0);
		context.clearRect(0, 0, this.canvas.width, this.canvas.height);
		const key = `${axis.name} ${width} ${ratio} ${palette.surface} ${hits.length} ${hits[0]}`;
		if (this.ground?.key !== key) this.ground = { key, image: this.strip(axis, palette, start, size, ratio, hits) };
		context.drawImage(this.ground.image, 0, 0);
		context.setTransform(ratio, 0, 0, ratio, 0, 0);
		context.fillStyle = palette.selection;
		for (const e of chosen) context.fillRect(toPixel(axis.values[e]) - 1, 0, 2, this.height);
		const clip = (/** @type {number} */ x) => Math.max(start, Math.min(start + size, x));
		const [from, to] = [clip(toPixel(range.from)), clip(toPixel(range.to))];
		context.fillStyle = faded(palette.raised, 0.72);
		context.fillRect(start, 0, from - start, this.height);
		context.fillRect(to, 0, start + size - to, this.height);
		context.strokeStyle = palette.muted;
		context.lineWidth = 1;
		context.strokeRect(Math.round(from) - 0.5, 0.5, Math.max(3, Math.round(to - from)), this.height - 1);
	}

	/** How many events there are where, machine upon machine, and what was found. @param {import("./axis.js").Axis} axis @param {import("./theme.js").Palette} palette @param {number} start @param {number} size @param {number} ratio @param {number[]} hits */
	strip(axis, palette, start, size, ratio, hits) {
		const image = document.createElement("canvas");
		sizeCanvas(image, start + size + 12, this.height, ratio);
		const context = /** @type {CanvasRenderingContext2D} */ (image.getContext("2d"));
		context.setTransform(ratio, 0, 0, ratio, 0, 0);
		// As many columns as leave each some twenty events and three pixels.
		const finest = Math.min(...axis.density.tables.map((table) => table.length - 1));
		const columns = 2 ** Math.max(0, Math.floor(Math.log2(Math.min(finest, size / 3, this.run.total / 20))));
		const stacks = new Float64Array(columns);
		const { run } = this;
		/** @type {Float64Array[]} */
		const counts = [];
		for (let i = 0; i < run.machines; i++) {
			const table = axis.density.tables[i];
			const buckets = table.length - 1;
			const count = new Float64Array(columns);
			for (let b = 0; b < buckets; b++) count[Math.floor((b / buckets) * columns)] += table[b + 1] - table[b];
			count.forEach((n, c) => (stacks[c] += n));
			counts.push(count);
		}
		const scale = (this.height - 4) / Math.max(...stacks, 1);
		const below = new Float64Array(columns);
		counts.forEach((count, i) => {
			context.fillStyle = faded(run.machines > manyMachines ? palette.muted : coloursOf(palette, run, i).send, 0.45);
			count.forEach((n, c) => {
				if (n > 0) context.fillRect(start + (c / columns) * size, this.height - 2 - (below[c] + n) * scale, size / columns, n * scale);
				below[c] += n;
			});
		});
		context.fillStyle = palette.warn;
		let last = -1;
		for (const e of hits) {
			const x = Math.round(start + ((axis.values[e] - axis.from) / (axis.to - axis.from)) * size);
			if (x !== last) context.fillRect(x - 0.5, 1, 1, 6);
			last = x;
		}
		return image;
	}
}

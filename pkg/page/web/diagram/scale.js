/**
 * Between values on the x axis and pixels. Stretches may be folded: they take a fixed small part of the room that they
 * would take, so the map bends there, but it never turns back.
 *
 * @typedef {object} Folds stretches that are drawn shorter, in their order, without overlap
 * @property {Float64Array} start
 * @property {Float64Array} end
 * @property {Float64Array} flat where each start lies when all before it are folded
 * @property {number} kept what each stretch is drawn as long as
 *
 * @typedef {object} Scale
 * @property {number} from least value shown
 * @property {number} to
 * @property {number} left pixel of `from`
 * @property {number} width pixels
 * @property {number} perUnit pixels per unit, where nothing is folded
 * @property {Folds | null} folds
 * @property {(value: number) => number} toPixel
 * @property {(pixel: number) => number} toValue
 */

/**
 * @param {number} from @param {number} to @param {number} left @param {number} width @param {Folds | null} [folds]
 * @returns {Scale}
 */
export function createScale(from, to, left, width, folds = null) {
	const start = flatten(folds, from);
	const perUnit = width / (flatten(folds, to) - start);
	return {
		from, to, left, width, perUnit, folds,
		toPixel: folds ? (value) => left + (flatten(folds, value) - start) * perUnit : (value) => left + (value - from) * perUnit,
		toValue: folds ? (pixel) => unfold(folds, start + (pixel - left) / perUnit) : (pixel) => from + (pixel - left) / perUnit,
	};
}

/**
 * Folds the stretches between neighbouring values that are much longer than most.
 *
 * @param {Float64Array} values in ascending order
 * @param {number} from where the axis begins @param {number} to
 * @returns {Folds | null} null: there are none
 */
export function foldsBetween(values, from, to) {
	const kept = usualGap(values);
	if (kept === 0) return null;
	const starts = [];
	const ends = [];
	for (let k = 0; k <= values.length; k++) {
		const a = k === 0 ? from : values[k - 1];
		const b = k === values.length ? to : values[k];
		// A little of what is around the messages stays as it is.
		if (b - a > 6 * kept) {
			starts.push(a + kept);
			ends.push(b - kept);
		}
	}
	if (starts.length === 0) return null;
	const flat = new Float64Array(starts.length);
	let removed = 0;
	for (let k = 0; k < starts.length; k++) {
		flat[k] = starts[k] - removed;
		removed += ends[k] - starts[k] - kept;
	}
	return { start: Float64Array.from(starts), end: Float64Array.from(ends), flat, kept };
}

/** The median of the gaps that are there; 0: there are none. @param {Float64Array} values in ascending order */
function usualGap(values) {
	const gaps = new Float64Array(Math.max(values.length - 1, 0));
	let count = 0;
	for (let k = 1; k < values.length; k++) if (values[k] > values[k - 1]) gaps[count++] = values[k] - values[k - 1];
	return count === 0 ? 0 : gaps.subarray(0, count).sort()[count >> 1];
}

/** @param {Folds | null} folds @param {number} value */
function flatten(folds, value) {
	if (!folds) return value;
	const k = lastAtMost(folds.start, value);
	if (k < 0) return value;
	const { start, end, flat, kept } = folds;
	if (value >= end[k]) return flat[k] + kept + (value - end[k]);
	return flat[k] + ((value - start[k]) / (end[k] - start[k])) * kept;
}

/** @param {Folds} folds @param {number} at */
function unfold(folds, at) {
	const k = lastAtMost(folds.flat, at);
	if (k < 0) return at;
	const { start, end, flat, kept } = folds;
	if (at >= flat[k] + kept) return end[k] + (at - flat[k] - kept);
	return start[k] + ((at - flat[k]) / kept) * (end[k] - start[k]);
}

/**
 * The last place whose value is not above a bound; −1: there is none.
 *
 * @param {Float64Array} values in ascending order @param {number} bound
 */
function lastAtMost(values, bound) {
	return firstAbove(values, bound, 0, values.length) - 1;
}

/**
 * The first place from low on whose value is above a bound; high, if there is none.
 *
 * @param {Float64Array} values ascending from low to high @param {number} bound @param {number} low @param {number} high
 */
export function firstAbove(values, bound, low, high) {
	while (low < high) {
		const middle = (low + high) >>> 1;
		if (values[middle] > bound) high = middle;
		else low = middle + 1;
	}
	return low;
}

/**
 * The first place from low on whose value is at least a bound; high, if there is none.
 *
 * @param {Float64Array} values ascending from low to high @param {number} bound @param {number} low @param {number} high
 */
export function firstAtLeast(values, bound, low, high) {
	while (low < high) {
		const middle = (low + high) >>> 1;
		if (values[middle] >= bound) high = middle;
		else low = middle + 1;
	}
	return low;
}

/**
 * Values for the marks of an axis: round ones, about so many.
 *
 * @param {number} from @param {number} to @param {number} about
 * @param {boolean} whole whether only whole numbers can be marked
 * @returns {{step: number, values: number[]}}
 */
export function niceTicks(from, to, about, whole) {
	const rough = (to - from) / Math.max(about, 1);
	const power = 10 ** Math.floor(Math.log10(rough));
	let step = power * ([1, 2, 5].find((m) => m * power >= rough * 0.999) ?? 10);
	if (whole && step < 1) step = 1;
	const values = [];
	for (let k = Math.ceil(from / step - 1e-9); k * step <= to + step * 1e-9 && values.length < 1000; k++) values.push(k * step + 0); // never −0
	return { step, values };
}

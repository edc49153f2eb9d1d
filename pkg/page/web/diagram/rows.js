/**
 * Where the lines of the machines are. All of them are in sight as long as that leaves each a few pixels; those that
 * the reader has to do with are taller then.
 *
 * @typedef {object} Row
 * @property {number} machine
 * @property {number} top
 * @property {number} height
 * @property {number} y of the line
 * @property {boolean} folded
 * @property {boolean} highlighted
 *
 * @typedef {object} Rows
 * @property {Row[]} list from top to bottom
 * @property {(Row | undefined)[]} of by machine; undefined: hidden
 * @property {number} height of all of them
 */

const foldedHeight = 10;
const tallest = 92;
const lowest = 4;
const comfortable = 26;

/**
 * @param {object} options
 * @param {number[]} options.order of all machines
 * @param {number[]} options.hidden
 * @param {number[]} options.folded
 * @param {number[]} options.highlighted
 * @param {Iterable<number>} options.involved machines that the reader has to do with
 * @param {number} options.height pixels that there are
 * @param {number} options.wanted pixels of a line; 0: as many as leave all in sight
 * @returns {Rows}
 */
export function layoutRows({ order, hidden, folded, highlighted, involved, height, wanted }) {
	const isHidden = new Set(hidden);
	const isFolded = new Set(folded);
	const isHighlighted = new Set(highlighted);
	const isInvolved = new Set([...involved, ...highlighted]);
	const shown = order.filter((machine) => !isHidden.has(machine));
	const open = shown.filter((machine) => !isFolded.has(machine));
	const room = height - foldedHeight * (shown.length - open.length);
	let usual = wanted;
	let tall = wanted;
	if (wanted === 0) {
		usual = Math.max(lowest, Math.min(tallest, room / Math.max(open.length, 1)));
		tall = usual;
		if (usual < comfortable) {
			const chosen = open.filter((machine) => isInvolved.has(machine)).length;
			// Up to half of the room is theirs, as long as the others keep theirs.
			if (chosen > 0) tall = Math.max(usual, Math.min(comfortable, room / 2 / chosen, (room - (open.length - chosen) * lowest) / chosen));
			if (chosen < open.length) usual = Math.max(lowest, (room - chosen * tall) / (open.length - chosen));
		}
	}
	/** @type {Row[]} */
	const list = [];
	/** @type {(Row | undefined)[]} */
	const of = [];
	let top = 0;
	for (const machine of shown) {
		const rowFolded = isFolded.has(machine);
		const rowHeight = rowFolded ? Math.min(foldedHeight, Math.max(usual, lowest)) : isInvolved.has(machine) ? tall : usual;
		const row = { machine, top, height: rowHeight, y: top + rowHeight / 2, folded: rowFolded, highlighted: isHighlighted.has(machine) };
		list.push(row);
		of[machine] = row;
		top += rowHeight;
	}
	return { list, of, height: top };
}

/**
 * The row at a height; the nearest one outside of all.
 *
 * @param {Rows} rows @param {number} y
 */
export function rowAt(rows, y) {
	let low = 0;
	let high = rows.list.length - 1;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (y >= rows.list[middle].top + rows.list[middle].height) low = middle + 1;
		else high = middle;
	}
	return rows.list[low];
}

/**
 * How far the bars of a line reach to either side of it, at most.
 *
 * @param {number} height of the line
 */
export function barRoom(height) {
	return height > 40 ? height * 0.36 : (height - (height > 12 ? 6 : 1)) * 0.5;
}

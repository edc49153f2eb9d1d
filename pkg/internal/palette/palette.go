// Package palette has the colours of the machines, the same in every picture and on
// every terminal.
package palette

import "fmt"

// The colours of Okabe and Ito, which colour-blind readers can tell apart, with two
// darker ones in place of yellow and black.
var machines = [...]rgb{
	{0x00, 0x72, 0xB2}, {0xD5, 0x5E, 0x00}, {0x00, 0x9E, 0x73}, {0xCC, 0x79, 0xA7},
	{0xE6, 0x9F, 0x00}, {0x56, 0xB4, 0xE9}, {0x8C, 0x6D, 0x31}, {0x7B, 0x6F, 0xD0},
}

type rgb [3]int

// Size is how many colours there are. Of more machines, some share one.
const Size = len(machines)

// Hex returns the colour of a machine as a page has it, "#0072B2".
func Hex(machine int) string {
	c := machines[machine%Size]
	return fmt.Sprintf("#%02X%02X%02X", c[0], c[1], c[2])
}

// RGB returns the colour of a machine by its parts.
func RGB(machine int) (red, green, blue uint8) {
	c := machines[machine%Size]
	return uint8(c[0]), uint8(c[1]), uint8(c[2])
}

// Indexed returns the colour of a machine as a terminal of 256 colours has it: the
// nearest of the cube of 6 × 6 × 6 that begins at 16.
func Indexed(machine int) int {
	index := 0
	for _, value := range machines[machine%Size] {
		index = index*6 + nearest(value)
	}
	return 16 + index
}

// nearest returns which of the levels of the cube is nearest to a value.
func nearest(value int) (level int) {
	levels := [...]int{0, 95, 135, 175, 215, 255}
	for i, l := range levels {
		if abs(l-value) < abs(levels[level]-value) {
			level = i
		}
	}
	return level
}

func abs(x int) int { return max(x, -x) }

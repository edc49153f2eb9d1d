package figure

import "strconv"

// Machine returns what people call a machine: vm-0.
func Machine(id int) string { return "vm-" + strconv.Itoa(id) }

// The page begins here. (This file belongs to the shell.)

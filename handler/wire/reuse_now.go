//go:build !race

package wire

// usedAgain says that memory which has been reset is used again.
const usedAgain = true

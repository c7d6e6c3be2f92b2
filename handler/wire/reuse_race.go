//go:build race

package wire

// usedAgain leaves memory that has been reset to whoever still looks at it, so that tests
// fail where somebody does: there is no request, no context, and nothing that guards it.
const usedAgain = false

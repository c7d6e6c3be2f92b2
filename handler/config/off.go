package config

// IsOff reports whether text is a word that switches off what a variable is for, rather
// than the name of something.
func IsOff[T ~string | ~[]byte](text T) bool {
	return string(text) == "off" || string(text) == "none" || string(text) == "0"
}

//go:build !unix

package config

import "os"

// terminalWidth takes no file for a terminal.
func terminalWidth(*os.File) int { return 0 }

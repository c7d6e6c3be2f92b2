//go:build !race

package wire

// keepMemory keeps memory that has been reset for the next request.
func (c *clientConn) keepMemory(m *memory) { c.memory = m }

package console

// style is how a terminal shows texts. The zero value, for what is no terminal, shows
// them all alike.
type style struct{ coloured bool }

// A terminal is told by these (ECMA-48, Select Graphic Rendition).
const (
	bold  = "\x1b[1m"
	faint = "\x1b[2m"
	red   = "\x1b[31m"
	usual = "\x1b[0m"
)

func (s style) bold(text string) string     { return s.as(bold, text) }
func (s style) faint(text string) string    { return s.as(faint, text) }
func (s style) alarming(text string) string { return s.as(red, text) }

func (s style) as(code, text string) string {
	if !s.coloured || text == "" {
		return text
	}
	return code + text + usual
}

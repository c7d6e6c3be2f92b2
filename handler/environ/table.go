package environ

import (
	"fmt"
	"strings"
)

// Table renders the variables of cfg, a pointer to a struct, as a Markdown
// table.
func Table(cfg any) string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, v := range Variables(cfg) {
		var values []string
		if v.Required {
			values = append(values, "required")
		} else if v.Default != "" {
			values = append(values, "`"+v.Default+"`")
		}
		for _, p := range Platforms {
			if text := p.Defaults[v.Name]; text != "" {
				values = append(values, fmt.Sprintf("%s: `%s`", p.Name, text))
			}
		}
		meaning := v.Doc
		if v.Secret {
			meaning += "; `" + v.Name + "_FILE` names a file to read it from"
		}
		row := fmt.Sprintf("`%s` | %s | %s", v.Name, strings.Join(values, ", "), strings.ReplaceAll(meaning, "|", `\|`))
		fmt.Fprintf(&b, "| %s |\n", row)
	}
	return b.String()
}

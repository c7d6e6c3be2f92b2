package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Group is some variables that answer one question.
type Group struct {
	Name  string
	About string   // the question, without its mark
	Of    []string // names of its variables, in which * stands for anything
}

// GroupOf returns the name of the first of groups that a variable is in, or "".
func GroupOf(groups []Group, variable string) string {
	if i := slices.IndexFunc(groups, func(g Group) bool { return g.names(variable) }); i >= 0 {
		return groups[i].Name
	}
	return ""
}

// A section is a group with its variables.
type section struct {
	Group
	variables []Variable
}

// sections gives each of variables to the first of groups that names it, in its
// order within. Those that none names come last, in a section without a name.
func sections(groups []Group, variables []Variable) []section {
	all := make([]section, len(groups)+1)
	for i, group := range groups {
		all[i].Group = group
	}
	for _, v := range variables {
		i := slices.IndexFunc(groups, func(g Group) bool { return g.names(v.Name) })
		if i < 0 {
			i = len(groups)
		}
		all[i].variables = append(all[i].variables, v)
	}
	return slices.DeleteFunc(all, func(s section) bool { return len(s.variables) == 0 })
}

func (g Group) names(variable string) bool { return matches(g.Of, variable) }

// matches reports whether one of patterns stands for name; * is for anything.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		switch prefix, rest, ok := strings.Cut(pattern, "*"); {
		case !ok:
			return pattern == name
		case rest == "":
			return strings.HasPrefix(name, prefix)
		}
		ok, _ := path.Match(pattern, name)
		return ok
	})
}

// row is what a table says of one variable, or of all that are another struct's
// again.
type row struct {
	names     []string
	defaults  []string
	meaning   string
	variables []Variable
}

// rows gathers variables that say the same of different things.
func rows(variables []Variable) (all []row) {
	for _, v := range variables {
		if v.alike == "" {
			all = append(all, row{names: []string{v.Name}, defaults: v.defaults(), meaning: v.meaning(), variables: []Variable{v}})
			continue
		}
		i := slices.IndexFunc(all, func(r row) bool { return r.variables[0].alike == v.alike })
		if i < 0 {
			i = len(all)
			all = append(all, row{meaning: v.alike})
		}
		name := v.prefixes[len(v.prefixes)-1] + "*"
		if !slices.Contains(all[i].names, name) {
			all[i].names = append(all[i].names, name)
		}
		all[i].variables = append(all[i].variables, v)
	}
	return all
}

// defaults returns the values that hold where nothing is set.
func (v Variable) defaults() (values []string) {
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
	return values
}

func (v Variable) meaning() string {
	if v.Secret {
		return v.Doc() + "; `" + v.Name + "_FILE` names a file to read it from"
	}
	return v.Doc()
}

// Table renders the variables of cfg, a pointer to a struct, as a Markdown
// table, by groups. Where there are some for each of a list, it says which variables
// such a one can set for itself.
func Table(cfg any, groups []Group) string {
	var b strings.Builder
	s := schemaOf(cfg)
	line := func(variable, value, each, meaning string) {
		fmt.Fprintf(&b, "| %s | %s | ", variable, value)
		if len(s.repeated) > 0 {
			fmt.Fprintf(&b, "%s | ", each)
		}
		b.WriteString(markdown.Replace(meaning) + " |\n")
	}
	var kinds []string
	for _, r := range s.repeated {
		kinds = append(kinds, r.noun())
	}
	line("variable", "default", strings.Join(kinds, ", "), "meaning")
	b.WriteString(strings.Repeat("|---", 3+min(len(kinds), 1)) + "|\n")
	for _, s := range sections(groups, s.variables) {
		if s.Name != "" {
			line("**"+s.Name+"**", "", "", "*"+s.About+"*")
		}
		for _, r := range rows(s.variables) {
			line("`"+strings.Join(r.names, "`, `")+"`", strings.Join(r.defaults, ", "), r.each(), r.meaning)
		}
	}
	return b.String()
}

// each marks what one of each can set.
func (r row) each() string {
	if r.variables[0].each == "" && r.variables[0].index == nil {
		return ""
	}
	return "✓"
}

// markdown escapes what would not be shown as it is.
var markdown = strings.NewReplacer("|", `\|`, "<", `\<`)

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

func (g Group) names(variable string) bool {
	return slices.ContainsFunc(g.Of, func(pattern string) bool {
		ok, _ := path.Match(pattern, variable)
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
// table, by groups.
func Table(cfg any, groups []Group) string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, s := range sections(groups, Variables(cfg)) {
		if s.Name != "" {
			fmt.Fprintf(&b, "| **%s** |  | *%s* |\n", s.Name, s.About)
		}
		for _, r := range rows(s.variables) {
			names := "`" + strings.Join(r.names, "`, `") + "`"
			fmt.Fprintf(&b, "| %s | %s | %s |\n", names, strings.Join(r.defaults, ", "), strings.NewReplacer("|", `\|`, "<", `\<`).Replace(r.meaning))
		}
	}
	return b.String()
}

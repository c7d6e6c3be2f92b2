package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Help explains a group, a variable, or all of cfg, a pointer to a struct, in
// lines of at most width characters. The error, one of [Faults], says what there
// is instead of a topic that there is not.
func Help(cfg any, groups []Group, topic string, width int) (string, error) {
	var b strings.Builder
	all := schemaOf(cfg)
	variables := all.variables
	name := strings.ToUpper(strings.ReplaceAll(topic, "-", "_"))
	for _, s := range sections(groups, variables) {
		if topic == "all" || strings.EqualFold(s.Name, topic) {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			s.explain(&b, width)
			for i := range s.variables {
				if text := all.inherited(&s.variables[i]); text != "" {
					b.WriteString("\n" + wrap(text, "", width))
				}
			}
		}
	}
	isGroup := b.Len() > 0 // which has the variable that it is called like
	for _, v := range variables {
		if !isGroup && (v.Name == name || v.Secret && v.Name+"_FILE" == name) {
			v.explain(&b, groups, width)
		}
	}
	if b.Len() == 0 {
		v, err := all.of(name)
		if err != nil {
			return "", err
		}
		if v != nil {
			v.explain(&b, groups, width)
		}
	}
	if b.Len() > 0 {
		return b.String(), nil
	}
	wrong, warnings := misspelled(map[string]string{name: "x"}, namesOf(variables))
	if lines := append(wrong, warnings...); len(lines) > 0 {
		return "", Faults(lines)
	}
	return "", Faults{fmt.Sprintf("help: %q is neither a variable nor one of %s or all", plain(topic), strings.Join(groupNames(groups), ", "))}
}

func groupNames(groups []Group) (names []string) {
	for _, g := range groups {
		names = append(names, g.Name)
	}
	return names
}

// explain writes what the variables of a group mean.
func (s section) explain(b *strings.Builder, width int) {
	b.WriteString(wrap(s.Name+": "+s.About, "", width))
	for _, r := range rows(s.variables) {
		head := strings.Join(r.names, ", ")
		if len(r.defaults) > 0 {
			head += " (" + unquoted(r.defaults) + ")"
		}
		b.WriteByte('\n')
		b.WriteString(wrap(head, "", width))
		b.WriteString(wrap(strings.ReplaceAll(r.meaning, "`", ""), "    ", width))
	}
}

// explain writes all that there is to say about a variable.
func (v Variable) explain(b *strings.Builder, groups []Group, width int) {
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	say := func(what, text string) {
		if text != "" {
			b.WriteString(wrap(what+text, "    ", width))
		}
	}
	b.WriteString(v.Name + "\n")
	say("", v.Doc())
	b.WriteByte('\n')
	if v.base != nil {
		say("default: ", "as "+v.base.Name+" is")
	} else if defaults := v.defaults(); len(defaults) > 0 {
		say("default: ", unquoted(defaults))
	} else {
		say("default: ", "not set")
	}
	say("example: ", v.tag.Get("example"))
	say("auto: ", v.auto())
	say("least: ", v.Min())
	say("greatest: ", v.tag.Get("max"))
	say("not above ", v.tag.Get("within"))
	if words, comes := v.offWords(); v.base != nil && words != nil {
		say(either(words)+": ", comes)
	}
	if v.base != nil && v.instead != nil {
		say("not inherited with ", either(v.instead)+" of its own")
	}
	conditions, why, _ := strings.Cut(v.tag.Get("needs"), "; ")
	for condition := range strings.FieldsSeq(conditions) {
		say("of no use ", whyNot(strings.Split(condition, "|"), func(name string) string { return name }))
	}
	if why != "" {
		say("then ", why)
	}
	if how, door := v.tag.Lookup("door"); door {
		say("set but empty, it stops the start: ", how)
	}
	if v.Secret {
		say("", v.Name+"_FILE names a file to read it from")
	}
	if v.each != "" && v.base == nil {
		say("for one alone: ", v.each+v.Name)
	}
	say("group: ", GroupOf(groups, v.Name))
}

func unquoted(values []string) string { return strings.ReplaceAll(strings.Join(values, ", "), "`", "") }

// wrap breaks text into lines of at most width characters, where it has blanks,
// each of them behind indent.
func wrap(text, indent string, width int) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case column == 0:
			b.WriteString(indent)
			column = len(indent)
		case column+1+n > width:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	b.WriteByte('\n')
	return b.String()
}

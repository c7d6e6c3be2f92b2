package config

import (
	"reflect"
	"strconv"
	"strings"
)

// tag is what the tag of a field says, read once: [reflect.StructTag] looks through all
// of it for each key, of which a start asks for many.
type tag []tagged

type tagged struct{ key, value string }

// appendTag appends what a tag says, which must be well-formed.
func appendTag(all tag, text reflect.StructTag) tag {
	for rest := string(text); ; {
		key, quoted, ok := strings.Cut(strings.TrimLeft(rest, " "), `:"`)
		if !ok {
			return all
		}
		end, escapes := 0, false
		for ; end < len(quoted) && quoted[end] != '"'; end++ {
			if quoted[end] == '\\' {
				end, escapes = end+1, true
			}
		}
		if end >= len(quoted) {
			return all
		}
		value := quoted[:end]
		if escapes {
			value, _ = strconv.Unquote(`"` + value + `"`)
		}
		all, rest = append(all, tagged{key, value}), quoted[end+1:]
	}
}

// Lookup returns the value of a key, and whether there is one.
func (t tag) Lookup(key string) (value string, ok bool) {
	for i := range t {
		if t[i].key == key {
			return t[i].value, true
		}
	}
	return "", false
}

// Get returns the value of a key, or "".
func (t tag) Get(key string) string {
	value, _ := t.Lookup(key)
	return value
}

package deploy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"spangate/handler/config"
)

// TestReadme holds that the files which the page means are there, that each part begins
// with commands, few at a time, and says what was not tried, and that it knows every
// platform.
func TestReadme(t *testing.T) {
	readme := read(t, "README.md")
	var files []string
	for _, link := range regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(readme, -1) {
		files = append(files, link[1])
	}
	for _, argument := range regexp.MustCompile(`\bdeploy/[a-z][a-z./-]*`).FindAllString(readme, -1) {
		files = append(files, "../"+argument)
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	for _, commands := range regexp.MustCompile(`(?m)(^    .*\n)+`).FindAllString(readme, -1) {
		if n := strings.Count(commands, "\n"); n > 3 {
			t.Errorf("%d commands are more than anybody copies:\n%s", n, commands)
		}
	}
	for _, section := range strings.Split(readme, "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n\n")
		if !strings.HasPrefix(text, "    ") {
			t.Errorf("%s does not begin with commands", title)
		}
		if !regexp.MustCompile(`(?i)\bnot\s+(tried|started)\b|\bwhat was tried\b|\bno engine\b`).MatchString(strings.Join(strings.Fields(text), " ")) {
			t.Errorf("%s does not say what was not tried", title)
		}
	}
	for _, platform := range config.Platforms {
		if platform.Mark != "" && !regexp.MustCompile("(?m)^\\| \\[.*\\| `"+platform.Mark+"` \\|").MatchString(readme) {
			t.Errorf("%s is not in the table as found by %s", platform.Name, platform.Mark)
		}
	}
}

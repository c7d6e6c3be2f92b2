package match_test

import "testing"

// spellings are ways to write /admin/users that some server understands, and some that
// only look so.
var spellings = []string{
	"/admin/users", "/admin/users/", "/admin/users;x", "/admin/./users", "/admin//users", "/admin/x/../users", "/admin/%75sers",

	"//admin/users", "///admin/users", "/./admin/users", "/.//admin/users", "/../admin/users", "/../../admin/users", "/x/../admin/users", "/x/y/../../admin/users",
	"/x/./../admin/users", "/x//../admin/users", "/x/..//admin/users", "/x/.././admin/users", "/public/../admin/users", "/admin/../admin/users",

	"/%61dmin/users", "/%61%64%6D%69%6E/users", "/%61%64%6d%69%6e/users", "/admi%6e/users", "/%2Fadmin/users", "/%2fadmin/users", "/admin%2Fusers", "/admin%2fusers",
	"/x%2F..%2Fadmin%2Fusers", "/x%2f..%2fadmin/users", "/x/..%2Fadmin/users", "/x/..%2fadmin/users", "/%2e/admin/users", "/%2E/admin/users", "/x/%2e%2e/admin/users", "/x/%2E%2E/admin/users",
	"/x/.%2e/admin/users", "/x/%2e./admin/users", "/x/%2e%2e%2fadmin/users", "/%2e%2e/admin/users", "/%2e%2e%2f%2e%2e%2fadmin/users", "/x%2f%2e%2e%2fadmin%2fusers",

	"/;/admin/users", "/;x/admin/users", "/;x=y/admin/users", "/admin;/users", "/admin;x=y/users", "/admin;a=b;c=d/users", "/x/..;/admin/users", "/x/..;a=b/admin/users", "/.;/admin/users",
	"/x;/../admin/users", "/%3B/admin/users", "/admin%3Bx/users", "/admin%3bx=y/users", "/x/..%3B/admin/users", "/x/%2e%2e;/admin/users", "/x/%2e%2e%3b/admin/users",

	`/\admin/users`, `/\/admin/users`, `/admin\users`, `/x\..\admin\users`, `/x/..\admin/users`, "/%5Cadmin/users", "/%5cadmin/users", "/admin%5Cusers", "/x%5C..%5Cadmin%5Cusers", "/x/..%5cadmin/users",
	"/x%5c%2e%2e%5cadmin/users", "/x/..%5C;a/admin/users",

	"/ADMIN/users", "/Admin/users", "/aDMIN/users", "/%41dmin/users", "/%41%44%4D%49%4E/users", "//ADMIN/users", "/x/../Admin/users", "/ADMIN;x/users", "/ADMIN%2Fusers",

	"/admin%00/users", "/admin%3F/users", "/admin%23/users", "/%c0%afadmin/users", "/%e0%80%afadmin/users", "/%F0%80%80%AFadmin/users", "/%C0%AE%C0%AE/admin/users", "/x%c0%af..%c1%9cadmin/users",
	"/index.php/admin/users", "/x.PHP/admin/users", "/index.php;x/admin/users", "/index.php/../admin/users", "/%69ndex.php/%61dmin/users", "/index%2Ephp/admin/users", "/x/../index.php/admin/users",

	"/%2561dmin/users", "/%252Fadmin/users", "/%252e%252e%252fadmin/users", "/%25%36%31dmin/users", "/x/%252e%252e/admin/users", "/admin%252Fusers", "/%255Cadmin/users", "/%253B/admin/users",
	"/xadmin/users", "/admin-users", "/administrator/users", "/x/admin/users", "/~admin/users", "/admin.php", "/users/admin", "/.admin/users", "/..admin/users", "/...//x", "/+admin/users", "/%20admin/users",
}

// TestSpellings checks that no spelling of a protected path takes the open route, if there
// is anybody who reads it as that path, and that others are not refused for nothing.
func TestSpellings(t *testing.T) {
	for name, rules := range map[string][]string{
		"a prefix":             {"/*", "/admin/*"},
		"an exact path":        {"/*", "/admin/users", "/admin/users/", "/admin/users/{x...}"},
		"a template":           {"/{rest...}", "/{area}/users", "/{area}/users/*"},
		"of a host":            {"x.org/*", "x.org/admin/*"},
		"with a method beside": {"GET /*", "/admin/*", "POST /*"},
		"without an open one":  {"/open/*", "/admin/*"},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := compile(t, rules...)
			if err != nil {
				t.Fatal(err)
			}
			ref := referenceOf(rules)
			for _, spelling := range spellings {
				r := readable{request("GET x.org" + spelling), spelling}
				got := outcome(table, r.Request)
				if got != "0" && got != "2" && got != "none" {
					continue
				}
				for _, rd := range readers {
					if rule := rd.leads(ref, r); rule == 1 && !(got == "none" && rd.folds()) {
						t.Errorf("%s: %s, and for %s it is %s", spelling, got, rd.name, rd.read(r.path))
					}
				}
			}
		})
	}
}

// What nobody reads as the protected path is not refused.
func TestSpellingsOfOthers(t *testing.T) {
	table := compiled(t, "/*", "/admin/*")
	others := spellings[len(spellings)-20:]
	for _, spelling := range others {
		if got := outcome(table, request("x.org"+spelling)); got != "0" {
			t.Errorf("%s: %s", spelling, got)
		}
	}
	protected := 0
	for _, spelling := range spellings[:len(spellings)-20] {
		if got := outcome(table, request("x.org"+spelling)); got == "0" {
			t.Errorf("%s takes the open route", spelling)
		}
		protected++
	}
	if protected < 60 {
		t.Errorf("%d spellings", protected)
	}
}

// What takes the rest is an open route like any other; without it nobody gets what nobody
// takes, and case is all the same.
func TestSpellingsOfTheRest(t *testing.T) {
	for path, want := range map[string][2]string{
		"/ADMIN/users":  {"none", "ambiguous"},
		"/%41dmin":      {"none", "ambiguous"},
		"/Administer":   {"none", "none"},
		"/x/../admin/a": {"ambiguous", "ambiguous"},
	} {
		for i, rest := range []bool{false, true} {
			table, err := compileWith(t, rest, "/admin/*")
			if err != nil {
				t.Fatal(err)
			}
			if got := outcome(table, request(path)); got != want[i] {
				t.Errorf("%s, rest %v: %s, want %s", path, rest, got, want[i])
			}
		}
	}
}

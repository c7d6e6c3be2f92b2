package wiretest

import (
	"flag"
	"runtime"
	"strconv"
)

// Parallel has more tests run at once than there are processors, unless -parallel says
// how many: they wait more than they work. It is for TestMain, before the tests run.
func Parallel() {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		flag.Set("test.parallel", strconv.Itoa(8*runtime.GOMAXPROCS(0)))
	}
}

package identity

import "time"

// moment is a point in time, by the two clocks that a machine has. That of the world may
// be set; the other one stands still while the machine sleeps, as where it is suspended.
type moment struct{ world, ran time.Time }

func present() moment {
	now := time.Now()
	return moment{now.Round(0), now}
}

// passed reports whether d has passed from m to now, by either clock. So what lasts for a
// time ends early at worst, when a clock is set or stands still.
func (m moment) passed(now moment, d time.Duration) bool {
	return now.world.Sub(m.world) >= d || now.ran.Sub(m.ran) >= d
}

package balancer

// Spend makes one retry on t's budget.
func Spend(t *Retrier) bool { return t.budget.take() }

// InFlight returns how many retries t holds ready for what is under way.
func InFlight(t *Retrier) int64 { return t.inFlight() }

package balancer

// Spend makes one retry on t's budget.
func Spend(t *Retrier) bool { return t.budget.take() }

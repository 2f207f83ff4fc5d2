"""Mail: how fast the queue is drained, how it grows, and what it does on bad days."""

"""The desktop as a phone: a separate program that obeys a bench plan and sends back a run."""

"""Distillation: what prompts are asked, who answers them, how answers are matched, and the losses."""

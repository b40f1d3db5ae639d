"""What a student sees and moves: views that know strings and numbers, never torch."""

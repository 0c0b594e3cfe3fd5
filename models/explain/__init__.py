"""What moved the verdict, in numbers and in sentences."""

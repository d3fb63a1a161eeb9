"""What people see: stimuli, the page that shows them, the collector, the analysis."""

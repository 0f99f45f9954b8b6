"""What is lost or doubled when things break: nothing. Real kills, real outages, lost answers."""

"""What is deployed: the migrations on the databases that they will meet."""

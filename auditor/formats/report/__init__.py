"""What `-f html` is made of: the run counted, its data in compressed blocks, and the page around them."""

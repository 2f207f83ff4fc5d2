"""What the stand-ins for vendors share: the HTTP side, scripted faults, signed posts, plain pages."""

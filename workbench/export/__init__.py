"""What leaves the workbench: a notebook as one HTML file, the proposal; a policy as a folder that a site runs."""

"""The policies that come with the auditor, one a module; a new module here is a new policy."""

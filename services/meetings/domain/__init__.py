"""The rules of meetings: members of bodies, matters, meetings, one case at one sitting, tasks. Pure."""
